import * as tf from '@tensorflow/tfjs';

/**
 * The gradient of Tile as one sum. tfjs adds up slices, one for each repetition: thousands of
 * operators where a layer repeats a row for each row of its minibatch.
 */
const tile: tf.GradConfig = {
  kernelName: 'Tile',
  inputsToSave: ['x'],
  gradFunc(dy, [x], attributes) {
    const { reps } = attributes as { reps: number[] };
    if (x === undefined || Array.isArray(dy))
      throw new Error('the gradient of Tile lacks its input');
    const shape = reps.flatMap((count, i) => [count, x.shape[i] ?? 1]);
    const repetitions = reps.map((_, i) => 2 * i);
    return { x: () => tf.sum(tf.reshape(dy, shape), repetitions) };
  },
};

/** Runs `trace` with gradients that make smaller graphs than tfjs' own. */
export function withGradients<Result>(trace: () => Result): Result {
  const before = tf.getGradient(tile.kernelName);
  tf.registerGradient(tile);
  try {
    return trace();
  } finally {
    if (before !== undefined) tf.registerGradient(before);
  }
}
