import type { Spec } from '../spec/spec.ts';

/** The losses that Millrace knows; each is a mean over samples, weighted by sample. */
export type Loss = NonNullable<Spec['loss']>;

/** The loss of a spec: the declared one, or the task's usual one. */
export function lossOf(spec: Spec): Loss {
  return spec.loss ?? (spec.task === 'regression' ? 'halfMeanSquaredError' : 'crossEntropy');
}

/** Each sample's share of its minibatch, weight / Σ weight, [minibatch]; all 0 where no sample has weight. */
export function sharesOf(weights: Float32Array): Float32Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (sum > 0 ? weight / sum : 0));
}

/** Probabilities are kept this far from 0 and 1 when a log loss is computed from float32 predictions. */
const smallestProbability = 1e-7;

/**
 * The loss of each sample from its predictions, in float64; [count]. Equal to the training loss up to float32
 * rounding of the predictions.
 *
 * @param predictions values or probabilities, [count, outputs]
 */
export function lossesFromPredictions(
  spec: Spec,
  predictions: Float32Array,
  labels: Float32Array,
): Float64Array {
  const outputs = spec.label.classes?.length ?? 1;
  const huber = lossOf(spec) === 'huber';
  return Float64Array.from(labels, (label, row) => {
    if (spec.task === 'multiclass') return negativeLog(predictions[row * outputs + label] ?? 0);
    const prediction = predictions[row] ?? 0;
    if (spec.task === 'binary') return negativeLog(label === 1 ? prediction : 1 - prediction);
    const error = Math.abs(prediction - label);
    return huber && error > 1 ? error - 0.5 : 0.5 * error * error;
  });
}

function negativeLog(probability: number): number {
  return -Math.log(Math.max(probability, smallestProbability));
}
