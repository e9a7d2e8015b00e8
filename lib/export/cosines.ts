import * as tf from '@tensorflow/tfjs';
import type { RandomFourier } from '../network/fourier.ts';
import { affine, apply, setWeights } from './layers.ts';

/** Numbers further than this from 0 are taken to be there: the angle must have a bound. */
const farthest = 64;
const none = new Float32Array();
/** Up to this angle the first terms of the series are all that float32 sees. */
const smallAngle = 0.5;

/**
 * Random Fourier features of layers of the standard kinds, which have no cosine: 1 − cos of a small
 * part of the angle by its series, doubled as often as it takes. 1 − cos 2θ = 2v (2 − v) of
 * v = 1 − cos θ, which loses no digits where v is small.
 */
export function cosineLayers(fourier: RandomFourier, input: tf.SymbolicTensor): tf.SymbolicTensor {
  const [frequencies = none, phases = none] = fourier.weights.map((weight) =>
    Float32Array.from(weight.read().dataSync()),
  );
  const units = phases.length;
  const largest = largestAngle(frequencies, phases);
  const doublings = Math.max(0, Math.ceil(Math.log2(largest / smallAngle)));
  const ones = Float32Array.from({ length: units }, () => 1);
  const zeros = new Float32Array(units);
  const named = (part: string) => `${fourier.name}-${part}`;
  /** `factor` · x + `shift`. */
  const line = (part: string, x: tf.SymbolicTensor, factor: number, shift: number) =>
    affine(named(part), x, [
      ones.map((one) => one * factor),
      zeros.map((zero) => zero + shift),
      zeros,
      ones,
    ]);
  const product = (part: string, a: tf.SymbolicTensor, b: tf.SymbolicTensor) =>
    apply(tf.layers.multiply({ name: named(part) }), [a, b]);

  const share = 2 ** -doublings;
  const dense = tf.layers.dense({ name: named('angle'), units, trainable: false });
  const angle = apply(dense, input);
  setWeights(dense, [frequencies.map((each) => each * share), phases.map((each) => each * share)]);
  const bound = tf.layers.reLU({ name: named('bound'), maxValue: 2 * smallAngle });
  const small = line(
    'shift-back',
    apply(bound, line('shift', angle, 1, smallAngle)),
    1,
    -smallAngle,
  );
  const square = product('square', small, small);
  // 1 − cos x = x²/2 · (1 − x²/12 · (1 − x²/30 · (1 − x²/56)))
  let series = line('term-4', square, -1 / 56, 1);
  for (const [term, divisor] of [30, 12].entries()) {
    const next = product(`power-${3 - term}`, square, series);
    series = line(`term-${3 - term}`, next, -1 / divisor, 1);
  }
  let versine = line('versine', product('power-1', square, series), 0.5, 0);
  for (let doubling = 1; doubling <= doublings; doubling++)
    versine = product(`double-${doubling}`, versine, line(`rest-${doubling}`, versine, -2, 4));
  return line('cosine', versine, -Math.SQRT2, Math.SQRT2);
}

/** The largest angle of any unit. */
function largestAngle(frequencies: Float32Array, phases: Float32Array): number {
  const sums = phases.map((phase, unit) => {
    let sum = phase;
    for (let i = unit; i < frequencies.length; i += phases.length)
      sum += farthest * Math.abs(frequencies[i] ?? 0);
    return sum;
  });
  return sums.reduce((most, sum) => Math.max(most, sum), 0);
}
