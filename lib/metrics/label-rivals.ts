import { labelWidth } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { bestConstant } from './best-constant.ts';
import {
  addOutcomes,
  emptyOutcomes,
  type Labelled,
  outcomesOfConstant,
  outcomesOfLabels,
} from './outcomes.ts';
import { type RivalFigures, rivalFigures } from './stream-metrics.ts';

/** What those earn on labelled samples who look at no feature. */
export type LabelRivals = {
  /** Of the best that is the same for all: the mean or median label, the share of each class. */
  readonly lossOfLabelsAlone?: number;
  /** What would be right by saying the label of the sample before. */
  readonly accuracyOfLastLabel?: number;
  /** That constant, and the label of the sample before; each sample counts once. */
  readonly rivals?: Readonly<Record<'prior' | 'lastLabel', RivalFigures>>;
};

/** Collects labels, in their order, and says what they earn by themselves. */
export function createLabelRivals(spec: Spec) {
  const width = labelWidth(spec.label);
  const labels: number[] = [];
  const weights: number[] = [];
  let lastLabel = emptyOutcomes(spec);
  let repeated = 0;
  let last: number | undefined;
  return {
    /** @param own as the samples name them, where classes that have no place differ */
    add(samples: Labelled, own = samples.labels): void {
      const said = Float64Array.from(samples.labels, (_, i) =>
        i < width
          ? (labels[labels.length - width + i] ?? Number.NaN)
          : (samples.labels[i - width] ?? 0),
      );
      lastLabel = addOutcomes(lastLabel, outcomesOfLabels(spec, said, once(samples)));
      for (const label of samples.labels) labels.push(label);
      samples.weights.forEach((weight, row) => {
        weights.push(weight);
        if (own[row] === last) repeated += weight;
        last = own[row];
      });
    },
    finish(): LabelRivals {
      const all = { labels: Float64Array.from(labels), weights: Float32Array.from(weights) };
      if (weights.length === 0) return {};
      const { values, loss } = bestConstant(spec, all);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const prior = outcomesOfConstant(spec, values, once(all));
      return {
        lossOfLabelsAlone: loss,
        ...(spec.task !== 'regression' && { accuracyOfLastLabel: repeated / total }),
        ...rivalFigures(spec, { prior, lastLabel }, weights.length),
      };
    },
  };
}

/** The same samples, each of which counts once. */
function once({ labels, weights }: Labelled): Labelled {
  return { labels, weights: new Float32Array(weights.length).fill(1) };
}
