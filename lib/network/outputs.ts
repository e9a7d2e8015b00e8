import * as tf from '@tensorflow/tfjs';
import type { Task } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { lossOf } from './losses.ts';

/**
 * The weighted mean loss of a minibatch, as a tfjs scalar that can be differentiated.
 *
 * @param output the network's logits or values, [minibatch, outputs]
 * @param labels values, 0 or 1, or class indices, [minibatch]
 * @param shares of the samples, [minibatch]; see `sharesOf`
 */
export function weightedLoss(
  spec: Spec,
  output: tf.Tensor,
  labels: tf.Tensor1D,
  shares: tf.Tensor1D,
): tf.Scalar {
  return tf.sum(tf.mul(lossOf(spec).ofOutput(tf, output, labels), shares));
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
