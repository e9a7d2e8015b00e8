import { exponential, wholePower } from '../../arithmetic.ts';
import type { Floats } from '../../features/samples.ts';
import { lossesOf } from '../../metrics/scores.ts';
import type { Spec } from '../../spec/spec.ts';

/**
 * How much each expert counts, by what it has earned: the exponentially weighted average forecaster
 * with a fixed share (Herbster and Warmuth 1998).
 */
export type Mixture = {
  /** Of each expert; they sum to 1. */
  readonly weights: Float64Array;
  /** Regressions: the running error of the best expert, the unit of errors; 0 at first. */
  readonly error: number;
};

/**
 * How fast experts are told apart. Samples of a stream resemble one another, and say less than as
 * many independent ones would: with 1, a Bayesian mixture, five of six public streams are predicted
 * a little worse.
 */
const eta = 0.3;

/** The share of all weight that is dealt out anew with each sample, so that experts come back. */
const share = 0.01;

/**
 * The share that a whole message deals out at most. (Dealt sample by sample, what a large message
 * says would decide for one expert: .8040 on the stream elec2 at 100 a message, against .8139.)
 */
const mostDealt = 0.5;

/** No expert counts less: it may come back. */
const leastWeight = 1e-6;

/** No single prediction costs an expert more than this: −ln 10⁻⁴. */
const mostLoss = 9.21;

/** How much of the running error is of messages before the last. */
const errorKept = 0.98;

/** Experts of which nothing is known yet. */
export function evenMixture(experts: number): Mixture {
  return { weights: new Float64Array(experts).fill(1 / experts), error: 0 };
}

/**
 * What the experts predict together: values or probabilities, weighted.
 *
 * @param each what each predicts, [count, outputs]
 */
export function mixed({ weights }: Mixture, each: readonly Float32Array[]): Float32Array {
  const sums = new Float64Array(each[0]?.length ?? 0);
  each.forEach((predictions, expert) => {
    const weight = weights[expert] ?? 0;
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + weight * (predictions[i] ?? 0);
  });
  return Float32Array.from(sums);
}

/**
 * The mixture after some samples, all of which were predicted before any was learnt.
 *
 * @param each what each expert predicted, [count, outputs]
 * @param labels as the networks learn them, [count]
 */
export function reweighed(
  spec: Spec,
  mixture: Mixture,
  each: readonly Float32Array[],
  labels: Floats,
): Mixture {
  if (labels.length === 0) return mixture;
  const losses = each.map((predictions) => boundedLosses(spec, predictions, labels));
  const error =
    spec.task === 'regression' ? runningError(mixture.error, lowestMean(losses, labels.length)) : 0;
  const unit = spec.task === 'regression' ? error : 1;
  const sums = losses.map((own) => own.reduce((sum, loss) => sum + loss, 0));
  const best = Math.min(...sums);
  const earned = mixture.weights.map((weight, expert) => {
    const behind = (sums[expert] ?? best) - best;
    return weight * (unit > 0 ? exponential((-eta * behind) / unit) : Number(behind === 0));
  });
  const total = earned.reduce((sum, weight) => sum + weight, 0);
  const dealt = Math.min(mostDealt, 1 - wholePower(1 - share, labels.length));
  return {
    error,
    weights: earned.map((weight) => (1 - dealt) * (weight / total) + dealt / earned.length),
  };
}

/**
 * The mixture that would have predicted samples best of which no expert has learnt one, such as
 * held-out rows: what the experts earned on all of them together, without regard to their order.
 */
export function chosen(spec: Spec, each: readonly Float32Array[], labels: Floats): Mixture {
  if (labels.length === 0) return evenMixture(each.length);
  const losses = each.map((predictions) => boundedLosses(spec, predictions, labels));
  const error = spec.task === 'regression' ? lowestMean(losses, labels.length) : 0;
  const unit = error > 0 ? error : 1;
  const sums = losses.map((own) => own.reduce((sum, loss) => sum + loss, 0));
  const best = Math.min(...sums);
  const earned = Float64Array.from(sums, (sum) =>
    Math.max(leastWeight, exponential((best - sum) / unit)),
  );
  const total = earned.reduce((sum, weight) => sum + weight, 0);
  return { error, weights: earned.map((weight) => weight / total) };
}

/** Losses of classes, distances of numbers. */
function boundedLosses(spec: Spec, predictions: Float32Array, labels: Floats): Float64Array {
  return spec.task === 'regression'
    ? Float64Array.from(labels, (label, row) => Math.abs((predictions[row] ?? 0) - label))
    : lossesOf(spec, predictions, labels).map((loss) => Math.min(loss, mostLoss));
}

function lowestMean(losses: readonly Float64Array[], count: number): number {
  return Math.min(...losses.map((own) => own.reduce((sum, loss) => sum + loss, 0) / count));
}

function runningError(before: number, now: number): number {
  return before === 0 ? now : errorKept * before + (1 - errorKept) * now;
}
