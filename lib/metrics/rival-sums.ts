import type { Floats } from '../features/samples.ts';
import { labelWidth } from '../features/task.ts';
import { lossOf } from '../network/losses.ts';
import type { Spec } from '../spec/spec.ts';
import {
  addOutcomes,
  emptyOutcomes,
  namedBy,
  outcomesOfSaid,
  type Rival,
  type Said,
} from './outcomes.ts';
import { type RivalFigures, rivalFigures } from './rival-figures.ts';
import type { Labelled } from './scores.ts';

/** What somebody says who looks at no feature, and its loss, summed over a row, if it has one. */
export type SaidAtLoss = Said & {
  readonly lossAt?: (label: number, place: number) => number;
};

/** The same of all samples, [outputs]; nothing unless given. */
export function saidConstant(spec: Spec, constant: Floats | undefined): SaidAtLoss {
  const width = labelWidth(spec.label);
  const { ofPrediction } = lossOf(spec);
  const isRegression = spec.task === 'regression';
  if (constant === undefined) return { valueAt: () => 0, classAt: () => noClass };
  const named = isRegression ? noClass : namedBy(spec, constant, 0);
  const outputs = isRegression ? 1 : constant.length;
  return {
    valueAt: (place) => constant[place % width] ?? 0,
    classAt: () => named,
    lossAt: (label, place) =>
      ofPrediction({ predictions: constant, row: place % width, outputs }, label) / width,
  };
}

/**
 * A label of each row, without a doubt: it has a loss in a regression alone.
 *
 * @param said as labels are, [count, width]; NaN where nothing is said, which is 0 in a regression
 */
export function saidLabels(spec: Spec, said: Floats): SaidAtLoss {
  const width = labelWidth(spec.label);
  const { ofPrediction } = lossOf(spec);
  const values = said.map((label) => (Number.isNaN(label) ? 0 : label));
  return {
    valueAt: (place) => values[place] ?? 0,
    classAt(row) {
      const label = said[row] ?? Number.NaN;
      return Number.isNaN(label) ? noClass : { named: label, probability: 1 };
    },
    ...(spec.task === 'regression' && {
      lossAt: (label, place) =>
        ofPrediction({ predictions: values, row: place, outputs: 1 }, label) / width,
    }),
  };
}

const noClass = { named: -1, probability: 0 };

/** Figures of those who look at no feature. Loss and accuracy are weighted, as a model's are. */
export type LabelRivals = {
  readonly lossOfLabelsAlone?: number;
  readonly accuracyOfLabelsAlone?: number;
  /** Of a regression. */
  readonly lossOfLastLabel?: number;
  /** Of classes. */
  readonly accuracyOfLastLabel?: number;
  /** What else they come to; each sample counts once. */
  readonly rivals?: Readonly<Record<Rival, RivalFigures>>;
};

/** What both rivals earn on some samples after others. */
export function createRivalSums(spec: Spec) {
  const own = { prior: createSums(spec), lastLabel: createSums(spec) };
  return {
    add(samples: Labelled, said: Readonly<Record<Rival, SaidAtLoss>>): void {
      own.prior.add(samples, said.prior);
      own.lastLabel.add(samples, said.lastLabel);
    },
    finish(): LabelRivals {
      const [prior, last] = [own.prior.sums(), own.lastLabel.sums()];
      if (prior.rows === 0) return {};
      const outcomes = { prior: prior.outcomes, lastLabel: last.outcomes };
      const isRegression = spec.task === 'regression';
      return {
        lossOfLabelsAlone: prior.loss / prior.weight,
        ...(isRegression
          ? { lossOfLastLabel: last.loss / last.weight }
          : {
              accuracyOfLabelsAlone: prior.correct / prior.weight,
              accuracyOfLastLabel: last.correct / last.weight,
            }),
        ...rivalFigures(spec, outcomes, prior.rows),
      };
    },
  };
}

/** Σ weight · loss of what somebody says; 0 of what has none. */
export function lossOfSaid(spec: Spec, { labels, weights }: Labelled, said: SaidAtLoss): number {
  const width = labelWidth(spec.label);
  let loss = 0;
  labels.forEach((label, place) => {
    loss += (weights[Math.floor(place / width)] ?? 0) * (said.lossAt?.(label, place) ?? 0);
  });
  return loss;
}

/** Sums of one of them. */
function createSums(spec: Spec) {
  let outcomes = emptyOutcomes(spec);
  let [rows, weight, loss, correct] = [0, 0, 0, 0];
  return {
    add({ labels, weights }: Labelled, said: SaidAtLoss): void {
      const once = new Float32Array(weights.length).fill(1);
      outcomes = addOutcomes(outcomes, outcomesOfSaid(spec, { labels, weights: once }, said));
      rows += weights.length;
      for (const each of weights) weight += each;
      loss += lossOfSaid(spec, { labels, weights }, said);
      labels.forEach((label, row) => {
        if (label >= 0 && said.classAt(row).named === label) correct += weights[row] ?? 0;
      });
    },
    sums: () => ({ outcomes, rows, weight, loss, correct }),
  };
}
