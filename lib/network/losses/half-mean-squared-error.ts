import { type Loss, valuesOf } from './loss.ts';

/** ½ (ŷ − y)². */
export const halfMeanSquaredError: Loss = {
  ofOutput(tf, output, labels) {
    return tf.mul(tf.square(tf.sub(valuesOf(tf, output), labels)), 0.5);
  },
  ofPrediction({ predictions, row }, label) {
    const error = (predictions[row] ?? 0) - label;
    return 0.5 * error * error;
  },
};
