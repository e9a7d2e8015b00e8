import * as tf from '@tensorflow/tfjs';
import { varianceOf } from '../features/moments.ts';
import { columnScales } from '../features/scaling.ts';
import type { RandomFourier } from '../network/fourier.ts';
import type { Exported } from './exported.ts';
import { affine, apply, setWeights } from './layers.ts';

const none = new Float32Array();
/** Up to this angle the first terms of the series are all that float32 sees. */
const smallAngle = 0.5;
/** Deviations, and bandwidths, beyond which numbers that have no bound count as there. */
const farthest = 64;
/** An angle of float32 beyond which it does not say where on the circle a number is. */
const largest = 2 ** 24;

/** How far from 0 a number column may be, as the network sees it, and whether that is a bound. */
export type Reach = readonly { readonly most: number; readonly isBound: boolean }[];

/** How far the number columns of a model may be from 0. */
export function reachOf({ model: { scaling, encoder }, state: { statistics } }: Exported): Reach {
  const isExact = encoder.layout.isExact === true;
  const bounds = columnScales(statistics, scaling, isExact).most;
  return Array.from(bounds, (bound, column) => {
    if (Number.isFinite(bound)) return { most: bound, isBound: true };
    if (scaling.columns[column]?.isStandardized) return { most: farthest, isBound: false };
    const deviation = Math.sqrt(varianceOf(statistics, column));
    const mean = Math.abs(statistics.mean[column] ?? 0);
    return { most: mean + farthest * deviation, isBound: false };
  });
}

/**
 * Random Fourier features of layers of the standard kinds, which have no cosine: 1 − cos of a small
 * part of the angle by its series, doubled as often as it takes. 1 − cos 2θ = 2v (2 − v) of
 * v = 1 − cos θ, which loses no digits where v is small.
 */
export function cosineLayers(
  fourier: RandomFourier,
  input: tf.SymbolicTensor,
  columns: Reach,
): tf.SymbolicTensor {
  const [frequencies = none, phases = none] = fourier.weights.map((weight) =>
    Float32Array.from(weight.read().dataSync()),
  );
  const units = phases.length;
  const isOpen = columns.some(({ isBound }) => !isBound);
  // Powers of two, by which nothing is rounded.
  const reach = Float64Array.from(columns, ({ most, isBound }, column) => {
    const own = frequencies.subarray(column * units, (column + 1) * units);
    const bandwidth = Math.sqrt(units / own.reduce((sum, each) => sum + each * each, 0));
    const isTaken = Number.isFinite(bandwidth);
    const steepest = own.reduce((max, each) => Math.max(max, Math.abs(each)), 0);
    const reached = isBound || !isTaken ? most : Math.max(most, farthest * bandwidth);
    const wide = steepest === 0 ? 1 : Math.min(reached, largest / steepest);
    return 2 ** Math.ceil(Math.log2(Math.max(wide, 1e-30)));
  });
  const turns = frequencies.map((each, i) => each * (reach[Math.floor(i / units)] ?? 1));
  const doublings = Math.max(0, Math.ceil(Math.log2(largestAngle(turns, phases) / smallAngle)));
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
  const small = apply(dense, isOpen ? cutOff(named, input, reach) : input);
  const kernel = isOpen ? [...turns, ...turns.map((each) => -each)] : [...frequencies];
  setWeights(dense, [kernel.map((each) => each * share), phases.map((each) => each * share)]);
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

/** Numbers as parts of how far they may be: what is positive of them, and what is negative. */
function cutOff(
  named: (part: string) => string,
  input: tf.SymbolicTensor,
  reach: Float64Array,
): tf.SymbolicTensor {
  const zeros = reach.map(() => 0);
  const ones = reach.map(() => 1);
  const sides = [1, -1].map((sign) => {
    const side = sign > 0 ? 'above' : 'below';
    const part = affine(named(`part-${side}`), input, [
      reach.map((most) => sign / most),
      zeros,
      zeros,
      ones,
    ]);
    return apply(tf.layers.reLU({ name: named(side), maxValue: 1 }), part);
  });
  return apply(tf.layers.concatenate({ name: named('sides'), axis: 1 }), sides);
}

/** The largest angle of any unit, of numbers at the end of their reach. */
function largestAngle(turns: Float32Array, phases: Float32Array): number {
  const sums = phases.map((phase, unit) => {
    let sum = phase;
    for (let i = unit; i < turns.length; i += phases.length) sum += Math.abs(turns[i] ?? 0);
    return sum;
  });
  return sums.reduce((most, sum) => Math.max(most, sum), 0);
}
