import * as tf from '@tensorflow/tfjs';
import type { Spec } from '../spec/spec.ts';
import { lossOf } from './sample-losses.ts';

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
    (dy, z) => tf.mul(tf.sub(tf.sigmoid(z), labels), dy),
  ) as tf.Tensor1D;
}

/** −log softmax(z)[y]; its gradient is softmax(z) − onehot(y). */
function crossEntropyOfClasses(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  const oneHot = () => tf.cast(tf.oneHot(tf.cast(labels, 'int32'), logits.shape[1]), 'float32');
  return withGradient(
    logits,
    (z) => tf.neg(tf.sum(tf.mul(tf.logSoftmax(z), oneHot()), 1)),
    (dy, z) => tf.mul(tf.sub(tf.softmax(z), oneHot()), tf.reshape(dy, [-1, 1])),
  ) as tf.Tensor1D;
}

/** A function of one tensor with a gradient of its own; what it computes on the way is freed. */
function withGradient(
  x: tf.Tensor,
  value: (x: tf.Tensor) => tf.Tensor,
  gradient: (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  return tf.customGrad((argument, save) => {
    const z = argument as tf.Tensor;
    (save as tf.GradSaveFunc)([z]);
    return { value: value(z), gradFunc: (dy, [saved]) => gradient(dy, saved ?? z) };
  })(x);
}

/** What a prediction is made of: values, probabilities of true, or a probability for each class. */
export function predictionOf(spec: Spec, output: tf.Tensor): tf.Tensor {
  if (spec.task === 'binary') return tf.sigmoid(output);
  return spec.task === 'multiclass' ? tf.softmax(output) : output;
}
