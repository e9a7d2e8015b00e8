import { columnScales, type Scaling } from './scaling.ts';
import type { FeatureStatistics } from './statistics.ts';

/**
 * The root of t / N, by which Vowpal Wabbit's normalised learner takes its steps: N / t is the mean
 * squared norm of the samples so far (Ross, Mineiro and Langford 2013, algorithm 3), as the network
 * sees them by these statistics. A table's value is a 1, and so is what biases are of. So one rate
 * suits models of few and of many features.
 *
 * @returns 1 for specs that do not ask for it
 */
export function rateFactor(statistics: FeatureStatistics, scaling: Scaling): number {
  const { columns, normOfTables, isExact = false } = scaling;
  if (normOfTables === undefined) return 1;
  const { mean, scale } = columnScales(statistics, scaling, isExact);
  let norm = 1 + normOfTables;
  for (const column of columns.keys()) {
    const variance = (statistics.squares[column] ?? 0) / Math.max(statistics.count, 1);
    const distance = (statistics.mean[column] ?? 0) - (mean[column] ?? 0);
    norm += (scale[column] ?? 0) ** 2 * (variance + distance ** 2);
  }
  return 1 / Math.sqrt(norm);
}
