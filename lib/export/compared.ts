import * as tf from '@tensorflow/tfjs';
import type { Compared } from '../engine/experts/neighbours.ts';
import { affine, apply, setWeights } from './layers.ts';

/**
 * The answer of an expert of neighbours as two layers: a softmax of how near each of the samples
 * is that are kept, and the sum of what they say. (Of |x − m|² what all have in common, |x|²,
 * leaves a softmax as it is: the rest is linear in x. Both are taken from the middle first: far
 * from 0, float32 would lose what tells them apart.)
 */
export function comparedOutput(
  name: string,
  { count: units, points, factor, columns, weights, said, usual }: Compared,
  numbers: tf.SymbolicTensor,
): tf.SymbolicTensor {
  const kernel = new Float64Array(points.length);
  const bias = Float64Array.from(weights, Math.log);
  const middles = Float32Array.from(columns, (_, column) => {
    const own = points.subarray(column * units, (column + 1) * units);
    return own.reduce((sum, value) => sum + value / units, 0);
  });
  points.forEach((point, i) => {
    const value = point - (middles[Math.floor(i / units)] ?? 0);
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
  const [zeros, ones] = [0, 1].map((value) => Array.from(middles, () => value));
  const centred = affine(`${name}-centred`, numbers, [ones, zeros, middles, ones]);
  const output = apply(sum, apply(near, centred));
  setWeights(near, [kernel, bias]);
  setWeights(sum, [said, usual]);
  return output;
}
