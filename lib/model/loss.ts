import * as tf from '@tensorflow/tfjs';
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

/**
 * The weighted mean loss of a minibatch, as a tfjs scalar that can be differentiated.
 *
 * @param output the network's logits or values, [minibatch, outputs]
 * @param labels values, 0 or 1, or class indices, [minibatch]
 * @param shares of the samples, [minibatch]; see {@link sharesOf}
 */
export function weightedLoss(
  spec: Spec,
  output: tf.Tensor,
  labels: tf.Tensor1D,
  shares: tf.Tensor1D,
): tf.Scalar {
  return tf.sum(tf.mul(sampleLosses(spec, output, labels), shares));
}

function sampleLosses(spec: Spec, output: tf.Tensor, labels: tf.Tensor1D): tf.Tensor1D {
  if (spec.task === 'multiclass') return crossEntropyOfClasses(output as tf.Tensor2D, labels);
  const values = tf.reshape(output, [-1]) as tf.Tensor1D;
  if (spec.task === 'binary') return binaryCrossEntropy(values, labels);
  const error = tf.sub(values, labels);
  if (lossOf(spec) === 'halfMeanSquaredError') return tf.mul(tf.square(error), 0.5);
  // Huber 1964 with δ = 1: quadratic within 1 of the label, linear outside.
  const absolute = tf.abs(error);
  const quadratic = tf.minimum(absolute, 1);
  return tf.add(tf.mul(tf.square(quadratic), 0.5), tf.sub(absolute, quadratic));
}

/**
 * −y log σ(z) − (1−y) log(1−σ(z)) = max(z, 0) − y z + log(1 + e^−|z|), which never overflows. Its gradient is
 * σ(z) − y, given as such: tfjs would derive it term by term.
 */
function binaryCrossEntropy(logits: tf.Tensor1D, labels: tf.Tensor1D): tf.Tensor1D {
  return withGradient(
    logits,
    (z) => tf.add(tf.sub(tf.relu(z), tf.mul(z, labels)), tf.log1p(tf.exp(tf.neg(tf.abs(z))))),
    (dy) => tf.mul(tf.sub(tf.sigmoid(logits), labels), dy),
  ) as tf.Tensor1D;
}

/** −log softmax(z)[y]; its gradient is softmax(z) − onehot(y). */
function crossEntropyOfClasses(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const oneHot = () => tf.oneHot(tf.cast(labels, 'int32'), logits.shape[1], 1, 0, 'float32');
  return withGradient(
    logits,
    (z) => tf.neg(tf.sum(tf.mul(tf.logSoftmax(z), oneHot()), 1)),
    (dy) => tf.mul(tf.sub(tf.softmax(logits), oneHot()), tf.reshape(dy, [-1, 1])),
  ) as tf.Tensor1D;
}

/** A function of one tensor with a gradient of its own; what it computes on the way is freed. */
function withGradient(
  x: tf.Tensor,
  value: (x: tf.Tensor) => tf.Tensor,
  gradient: (dy: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  return tf.customGrad((argument, save) => {
    const z = argument as tf.Tensor;
    (save as tf.GradSaveFunc)([z]);
    return { value: value(z), gradFunc: gradient };
  })(x);
}

/** What a prediction is made of: values, probabilities of true, or a probability for each class. */
export function predictionOf(spec: Spec, output: tf.Tensor): tf.Tensor {
  if (spec.task === 'binary') return tf.sigmoid(output);
  return spec.task === 'multiclass' ? tf.softmax(output) : output;
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

/**
 * The training loss of one sample from its logits or values, in float64; the same function as
 * {@link weightedLoss} sums up.
 *
 * @param logits [rows, outputs]
 */
export function lossFromLogits(spec: Spec, logits: Float32Array, row: number, label: number): number {
  if (spec.task === 'multiclass') {
    const outputs = spec.label.classes?.length ?? 1;
    const start = row * outputs;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = start; i < start + outputs; i++) highest = Math.max(highest, logits[i] ?? 0);
    let sum = 0;
    for (let i = start; i < start + outputs; i++) sum += Math.exp((logits[i] ?? 0) - highest);
    return highest + Math.log(sum) - (logits[start + label] ?? 0);
  }
  const value = logits[row] ?? 0;
  if (spec.task === 'binary')
    return Math.max(value, 0) - value * label + Math.log1p(Math.exp(-Math.abs(value)));
  const error = Math.abs(value - label);
  return lossOf(spec) === 'huber' && error > 1 ? error - 0.5 : 0.5 * error * error;
}

function negativeLog(probability: number): number {
  return -Math.log(Math.max(probability, smallestProbability));
}
