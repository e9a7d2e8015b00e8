import { type Loss, valuesOf } from './loss.ts';

/** Huber 1964 with δ = 1: quadratic within 1 of the label, linear outside. */
export const huber: Loss = {
  ofOutput(tf, output, labels) {
    const absolute = tf.abs(tf.sub(valuesOf(tf, output), labels));
    const quadratic = tf.minimum(absolute, 1);
    return tf.add(tf.mul(tf.square(quadratic), 0.5), tf.sub(absolute, quadratic));
  },
  ofPrediction({ predictions, row }, label) {
    const error = Math.abs((predictions[row] ?? 0) - label);
    return error > 1 ? error - 0.5 : 0.5 * error * error;
  },
};
