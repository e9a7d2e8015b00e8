import { type Loss, valuesOf } from './loss.ts';

/**
 * The pinball loss of Koenker and Bassett 1978, whose least mean is at the quantile: q · (y − ŷ) of
 * labels above what was predicted, (1 − q) · (ŷ − y) of those below.
 *
 * @param quantile the share of labels that are to be below it, q, between 0 and 1
 */
export function quantileLoss(quantile: number): Loss {
  return {
    ofOutput(tf, output, labels) {
      const error = tf.sub(labels, valuesOf(tf, output));
      return tf.add(tf.mul(error, quantile), tf.relu(tf.neg(error)));
    },
    ofPrediction({ predictions, row }, label) {
      const error = label - (predictions[row] ?? 0);
      return error > 0 ? quantile * error : (quantile - 1) * error;
    },
  };
}
