import * as tf from '@tensorflow/tfjs';
import type { Spec } from '../spec/spec.ts';

/** The losses that Millrace knows; each is a mean over samples, weighted by sample. */
export type Loss = NonNullable<Spec['loss']>;

/** Divides the loss of a minibatch of weight 0, which is 0. */
const smallestWeight = 1e-30;

/** The loss of a spec: the declared one, or the task's usual one. */
export function lossOf(spec: Spec): Loss {
  return spec.loss ?? (spec.task === 'regression' ? 'halfMeanSquaredError' : 'crossEntropy');
}

/**
 * The weighted mean loss of a minibatch, as a tfjs scalar that can be differentiated. A minibatch of weight
 * 0 has loss 0.
 *
 * @param output the network's logits or values, [minibatch, outputs]
 * @param labels values, 0 or 1, or class indices, [minibatch]
 * @param weights [minibatch]
 */
export function weightedLoss(
  spec: Spec,
  output: tf.Tensor,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): tf.Scalar {
  const losses = sampleLosses(spec, output, labels);
  return tf.div(tf.sum(tf.mul(losses, weights)), tf.maximum(tf.sum(weights), smallestWeight));
}

function sampleLosses(spec: Spec, output: tf.Tensor, labels: tf.Tensor1D): tf.Tensor1D {
  if (spec.task === 'multiclass') {
    const oneHot = tf.oneHot(tf.cast(labels, 'int32'), output.shape[1] ?? 1);
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(output), oneHot), 1));
  }
  const values = tf.reshape(output, [-1]) as tf.Tensor1D;
  if (spec.task === 'binary') {
    // −y log σ(z) − (1−y) log(1−σ(z)) = max(z, 0) − y z + log(1 + e^−|z|), which never overflows.
    const softplus = tf.log1p(tf.exp(tf.neg(tf.abs(values))));
    return tf.add(tf.sub(tf.relu(values), tf.mul(values, labels)), softplus);
  }
  const error = tf.sub(values, labels);
  if (lossOf(spec) === 'halfMeanSquaredError') return tf.mul(tf.square(error), 0.5);
  // Huber 1964 with δ = 1: quadratic within 1 of the label, linear outside.
  const absolute = tf.abs(error);
  const quadratic = tf.minimum(absolute, 1);
  return tf.add(tf.mul(tf.square(quadratic), 0.5), tf.sub(absolute, quadratic));
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

function negativeLog(probability: number): number {
  return -Math.log(Math.max(probability, smallestProbability));
}
