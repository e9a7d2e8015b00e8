import type { StreamMetrics } from '../metrics/stream-metrics.ts';
import { figure } from './progress.ts';

/** How far each of several outputs was off. */
export function outputLines({ outputs = {} }: Pick<StreamMetrics, 'outputs'>): readonly string[] {
  return Object.entries(outputs).map(
    ([name, { meanAbsoluteError: absolute, rootMeanSquaredError: root }]) =>
      `  ${name}: mean absolute error ${figure(absolute)}, root mean squared error ${figure(root)}`,
  );
}
