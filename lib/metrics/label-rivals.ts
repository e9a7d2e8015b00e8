import { labelWidth } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { bestConstant } from './best-constant.ts';
import { createRivalSums, type LabelRivals, saidConstant, saidLabels } from './rival-sums.ts';
import type { Labelled } from './scores.ts';

/**
 * Collects the labels of a file in their order, and says what they earn by themselves: the best
 * that is the same for all, and the label of the sample before.
 *
 * @param before what is said of the first sample of a regression: what was known of labels before
 */
export function createLabelRivals(spec: Spec, before: readonly number[] = []) {
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
      const ofRows = all.labels.map(
        (_, i) => (i < width ? before[i] : labels[i - width]) ?? Number.NaN,
      );
      const sums = createRivalSums(spec);
      sums.add(all, {
        prior: saidConstant(spec, values),
        lastLabel: saidLabels(spec, ofRows),
      });
      return sums.finish();
    },
  };
}
