import { exponential, meansOfRows } from '../../arithmetic.ts';
import type { Floats } from '../../features/samples.ts';
import type { Spec } from '../../spec/spec.ts';
import { type Base, power } from './fading.ts';

/** What each expert has earned in the long run; a few great errors say more than many small. */
export type LongRun = {
  /** Of each, the root of the mean square of its errors, of which a thousandth fades a sample. */
  readonly roots: Float64Array;
  /** Σ of the weights of the samples, which fade alike. */
  readonly weight: number;
};

/** What is kept with each sample of the long run. */
const longRunKept: Base = { base: 0.999, logarithm: -0.0010005003335835344 };
/** How much worse than the labels' mean an expert may be in the long run, and count undiminished. */
const mostExcess = 0.1;

/** Places among experts; −1 of one that is not there. */
export type Constants = {
  /** The one that predicts the labels' mean. */
  readonly prior: number;
  /** One that repeats the last label, and may be no worse than the mean. */
  readonly strict: number;
};

/** How fast those are told apart that are worse. */
const toldApart = 0.3;

/** No expert counts less after it was chosen: it may come back. */
export const leastWeight = 1e-6;

/** Whether a model keeps a {@link LongRun}: of a quantile, its own loss says all. */
export function keepsLongRun({ task, loss, revision = 0 }: Spec): boolean {
  return task === 'regression' && typeof loss !== 'object' && revision >= 10;
}

/** The squared error of each sample; of several outputs, the mean of theirs. */
export function squaredErrors(
  predictions: Float32Array,
  labels: Floats,
  count: number,
): Float64Array {
  const squares = Float64Array.from(labels, (label, i) => ((predictions[i] ?? 0) - label) ** 2);
  return meansOfRows(squares, labels.length / count);
}

/** So many samples of a message are more than a few that are odd. */
const manySamples = 20;
/** As often as much as the mean's squared errors experts' are remembered of those, at most. */
const mostTimes = 3;

/**
 * The squared errors of a message that the long run remembers. Where a unit changes or a sensor
 * fails, all of a long message is wrong by thousands of deviations: for as many samples no expert
 * would count, however soon it has learnt it again. (Of specs before revision 21 it remembers all.)
 */
export function squaresToRemember(
  { revision = 0 }: Pick<Spec, 'revision'>,
  { squares, count }: { readonly squares: Float64Array; readonly count: number },
  { prior }: Constants,
): Float64Array {
  if (revision < 21 || count < manySamples) return squares;
  const most = mostTimes * (squares[prior] ?? 0);
  return squares.map((square) => Math.min(square, most));
}

/**
 * The long run after some more samples.
 *
 * @param said Σ of each expert's squared errors on them, and Σ of their weights
 */
export function longRunAfter(
  { roots, weight }: LongRun,
  { squares, weight: said }: { readonly squares: Float64Array; readonly weight: number },
): LongRun {
  const before = power(longRunKept, said) * weight;
  const sum = before + said;
  return {
    roots: roots.map((root, expert) =>
      Math.sqrt((before * root * root + (squares[expert] ?? 0)) / sum),
    ),
    weight: sum,
  };
}

/**
 * The weights of experts, less of those that have been worse than the labels' mean in the long run:
 * where a label in a hundred is enormous, it is right of an expert in all other samples to say
 * little, and ruinous to repeat what came last.
 */
export function guarded(
  weights: Float64Array,
  { roots, weight }: LongRun,
  { prior, strict }: Constants,
): Float64Array {
  const usual = roots[prior] ?? 0;
  if (usual === 0) return shares(weights);
  const least = weights.map((own, expert) => {
    const ratio = (roots[expert] ?? 0) / usual;
    const excess = ratio * ratio - 1 - (expert === strict ? 0 : mostExcess);
    return excess > 0
      ? Math.max(own * exponential(-toldApart * weight * excess), leastWeight)
      : own;
  });
  return shares(least);
}

/** Weights that sum to 1. */
export function shares(weights: Float64Array): Float64Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
