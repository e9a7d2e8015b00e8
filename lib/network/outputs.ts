import * as tf from '@tensorflow/tfjs';
import { labelWidth, type Task } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { lossOf } from './losses.ts';

/**
 * The weighted mean loss of a minibatch, as a tfjs scalar that can be differentiated.
 *
 * @param output the network's logits or values, [minibatch, outputs]
 * @param labels values, 0 or 1, or class indices, [minibatch]; of several outputs the values of
 *   each row, one after another, [minibatch × outputs]
 * @param shares of the samples, [minibatch]; see `sharesOf`
 */
export function weightedLoss(
  spec: Spec,
  output: tf.Tensor,
  labels: tf.Tensor1D,
  shares: tf.Tensor1D,
): tf.Scalar {
  const { ofOutput } = lossOf(spec);
  const width = labelWidth(spec.label);
  if (width === 1) return tf.sum(tf.mul(ofOutput(tf, output, labels), shares));
  const losses = tf.reshape(ofOutput(tf, output, labels), [-1, width]);
  return tf.sum(tf.mul(tf.mean(losses, 1), shares));
}

/**
 * What a task's predictions are made of: values, probabilities of true, or a probability for each
 * class.
 */
const links: Record<Task, (output: tf.Tensor) => tf.Tensor> = {
  regression: (output) => output,
  binary: (output) => tf.sigmoid(output),
  multiclass: (output) => tf.softmax(output),
};

/** Predictions from the network's logits or values, [count, outputs]. */
export function predictionOf({ task }: Spec, output: tf.Tensor): tf.Tensor {
  return links[task](output);
}
