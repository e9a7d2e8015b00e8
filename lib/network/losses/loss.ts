import type * as tf from '@tensorflow/tfjs';
import type { Prediction } from '../prediction.ts';

/**
 * A loss of one sample. A minibatch's loss is the weighted mean over its samples.
 *
 * tfjs comes in as an argument, because predictions are scored in processes that have not loaded
 * it.
 */
export type Loss = {
  /**
   * The loss of each sample from the network's output, [minibatch]. tfjs derives its gradient,
   * unless the loss gives it itself.
   *
   * @param output logits or values, [minibatch, outputs]
   * @param labels values, 0 or 1, or class indices, [minibatch]
   */
  readonly ofOutput: (tfjs: typeof tf, output: tf.Tensor, labels: tf.Tensor1D) => tf.Tensor1D;
  /**
   * The loss of one sample from what was predicted for it; float64. Equal up to the predictions'
   * rounding.
   */
  readonly ofPrediction: (prediction: Prediction, label: number) => number;
};

/** Values as one vector, [minibatch]. */
export function valuesOf(tfjs: typeof tf, output: tf.Tensor): tf.Tensor1D {
  return tfjs.reshape(output, [-1]) as tf.Tensor1D;
}
