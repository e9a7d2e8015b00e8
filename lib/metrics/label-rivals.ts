import { labelWidth } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { bestConstant } from './best-constant.ts';
import { createRivalSums, type LabelRivals, saidConstant, saidLabels } from './rival-sums.ts';
import type { Labelled } from './scores.ts';

/**
 * Collects the labels of a file in their order, and says what they earn by themselves: the best
 * that is the same for all, and the label of the sample before.
 */
export function createLabelRivals(spec: Spec) {
  const width = labelWidth(spec.label);
  const [labels, weights]: [number[], number[]] = [[], []];
  return {
    add(samples: Labelled): void {
      for (const label of samples.labels) labels.push(label);
      for (const weight of samples.weights) weights.push(weight);
    },
    finish(): LabelRivals {
      const all = { labels: Float64Array.from(labels), weights: Float32Array.from(weights) };
      const { values } = bestConstant(spec, all);
      // (No row is before the first one: of a regression what is best for all is said of it.)
      const first = (i: number) =>
        spec.task === 'regression' ? (values[i] ?? Number.NaN) : Number.NaN;
      const before = all.labels.map((_, i) => (i < width ? first(i) : (labels[i - width] ?? 0)));
      const sums = createRivalSums(spec);
      sums.add(all, {
        prior: saidConstant(spec, values),
        lastLabel: saidLabels(spec, before),
      });
      return sums.finish();
    },
  };
}
