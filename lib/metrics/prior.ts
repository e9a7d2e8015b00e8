import type { Floats } from '../features/samples.ts';
import { classCount, labelWidth } from '../features/task.ts';
import { lossOf } from '../network/losses.ts';
import type { Spec } from '../spec/spec.ts';
import { isRight, lossOfConstant, type Scores } from './scores.ts';

/**
 * What somebody would have earned on the stream who knows nothing but the labels so far, and
 * predicts their mean or the share of each class; the same samples, test then train. A model that
 * is not better has learnt nothing.
 */
export type Prior = {
  /** Σ weight · loss */
  readonly loss: number;
  /** Σ weight over the samples whose most frequent class was right; 0 in a regression. */
  readonly correct: number;
  /**
   * Σ weight of each class, false and true in a binary task; in a regression Σ weight · label, of
   * each output.
   */
  readonly sums: Float64Array;
};

/** The prior before the first sample. */
export function emptyPrior({ task, label }: Spec): Prior {
  const sums = { regression: labelWidth(label), binary: 2, multiclass: classCount(label) ?? 0 };
  return { loss: 0, correct: 0, sums: new Float64Array(sums[task]) };
}

/**
 * The prior after a message, all of which is predicted before any of it is known.
 *
 * @param before how many samples came before it, and their weight
 */
export function priorAfter(
  spec: Spec,
  { loss, correct, sums }: Prior,
  before: Pick<Scores, 'samples' | 'weight'>,
  { labels, weights }: { readonly labels: Floats; readonly weights: Float32Array },
): Prior {
  const predictions = priorPrediction(spec, sums, before);
  const after = { loss, correct, sums: sums.slice() };
  if (spec.task === 'regression') {
    const width = labelWidth(spec.label);
    labels.forEach((label, i) => {
      const own = weights[Math.floor(i / width)] ?? 0;
      after.sums[i % width] = (after.sums[i % width] ?? 0) + own * label;
    });
    return { ...after, loss: lossOfConstant(spec, predictions, { labels, weights }, loss) };
  }
  const { ofPrediction } = lossOf(spec);
  const prediction = { predictions, row: 0, outputs: predictions.length };
  labels.forEach((label, row) => {
    const own = weights[row] ?? 0;
    after.loss += own * ofPrediction(prediction, label);
    if (isRight(spec, prediction, label)) after.correct += own;
    after.sums[label] = (after.sums[label] ?? 0) + own;
  });
  return after;
}

/**
 * The mean, or the shares of the classes as if each had been seen once more (Laplace 1814), with
 * the weight that samples have on average; [outputs].
 *
 * @param sums see {@link Prior}
 */
export function priorPrediction(
  { task, label }: Spec,
  sums: Float64Array,
  { samples, weight }: Pick<Scores, 'samples' | 'weight'>,
): Float64Array {
  if (task === 'regression') return sums.map((sum) => (weight > 0 ? sum / weight : 0));
  const once = weight > 0 ? weight / samples : 1;
  // Where classes get places as they come, all that have not come are counted as one.
  const grows = label.maxClasses !== undefined;
  const others = sums.filter((sum) => sum === 0).length;
  const more = (sum: number) => (grows && sum === 0 ? once / others : once);
  const known = grows ? sums.length - others + Math.min(others, 1) : sums.length;
  // (Of classes that lost their places nothing is left in the sums.)
  const total = grows ? sums.reduce((a, b) => a + b, 0) : weight;
  const shares = sums.map((sum) => (sum + more(sum)) / (total + once * known));
  return task === 'binary' ? shares.slice(1) : shares;
}
