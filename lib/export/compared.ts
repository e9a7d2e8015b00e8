import * as tf from '@tensorflow/tfjs';
import type { Compared } from '../engine/experts/neighbours.ts';
import { apply, setWeights } from './layers.ts';

/**
 * The answer of an expert of neighbours as two layers: a softmax of how near each of the samples
 * is that are kept, and the sum of what they say. (Of |x − m|² what all have in common, |x|²,
 * leaves a softmax as it is: the rest is linear in x.)
 */
export function comparedOutput(
  name: string,
  { count: units, points, factor, columns, weights, said, usual }: Compared,
  numbers: tf.SymbolicTensor,
): tf.SymbolicTensor {
  const kernel = new Float64Array(points.length);
  const bias = Float64Array.from(weights, Math.log);
  points.forEach((value, i) => {
    const unit = i % units;
    const counted = factor * (columns[Math.floor(i / units)] ?? 0);
    kernel[i] = 2 * counted * value;
    bias[unit] = (bias[unit] ?? 0) - counted * value * value;
  });
  const near = tf.layers.dense({
    name: `${name}-nearness`,
    units,
    activation: 'softmax',
    trainable: false,
  });
  const sum = tf.layers.dense({ name: `${name}-answer`, units: usual.length, trainable: false });
  const output = apply(sum, apply(near, numbers));
  setWeights(near, [kernel, bias]);
  setWeights(sum, [said, usual]);
  return output;
}
