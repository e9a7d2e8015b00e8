import { exponential } from '../../arithmetic.ts';
import type { Floats } from '../../features/samples.ts';
import type { LabelScale } from '../../features/scaling.ts';
import type { Expert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import { type Base, power } from './fading.ts';
import type { Judgement } from './judgement.ts';
import {
  type Constants,
  guarded,
  keepsLongRun,
  type LongRun,
  leastWeight,
  longRunAfter,
  shares,
  squaresToRemember,
} from './long-run.ts';

/**
 * How much each expert counts, by what it has earned: the exponentially weighted average forecaster
 * that mixes past posteriors in (Herbster and Warmuth 1998; Bousquet and Warmuth 2002).
 */
export type Mixture = {
  /** Of each expert; they sum to 1. */
  readonly weights: Float64Array;
  /** How much each has counted lately, on average. */
  readonly usual: Float64Array;
  /** Regressions: the running mean error of each; 0 at first. */
  readonly errors: Float64Array;
  /** Of regressions since revision 10. */
  readonly longRun?: LongRun;
};

/** Labels as the networks learn them. Models of releases before 0.9 have each count once. */
export type Known = {
  readonly labels: Floats;
  readonly weights?: Float32Array | undefined;
  /** What differences of labels are times; see {@link Said.unit}. */
  readonly unit?: number | undefined;
  /** The same labels as they came, and how they are standardised. */
  readonly own?: { readonly labels: Floats; readonly scale: LabelScale | undefined } | undefined;
};

/** How fast experts are told apart. */
const eta = 0.3;

/**
 * A message says as much as so many samples of weight 1 at most: what one says resembles what the
 * next one says before anything was learnt. (Of specs before revision 11, as five; before 12, as
 * ten.)
 */
function mostEvidence({ revision = 0 }: Spec): number {
  if (revision < 11) return 5;
  return revision < 12 ? 10 : 20;
}

/**
 * What is kept with each sample of all weight, the rest of which is dealt out anew, so that experts
 * come back; and of a running error.
 */
const kept: Base = { base: 0.98, logarithm: -0.020202707317519466 };
/** The share that a whole message deals out at most. */
const mostDealt = 0.2;
/** The part of it that goes to all alike; the rest goes to those that have counted lately. */
const dealtAlike = 0.1;
/** How much of what counted lately is of before the last sample. */
const usualKept: Base = { base: 0.99, logarithm: -0.01005033585350145 };

/** Experts of which nothing is known yet. */
function evenMixture(experts: number, hasLongRun: boolean): Mixture {
  const weights = new Float64Array(experts).fill(1 / experts);
  const longRun = { roots: new Float64Array(experts), weight: 0 };
  const errors = new Float64Array(experts);
  return { weights, usual: weights, errors, ...(hasLongRun && { longRun }) };
}

/** How much more an expert of second order counts at first: of few samples it learns most. */
const firstShare = 8;

/** Experts before the first sample. */
export function firstMixture(spec: Spec, experts: readonly Expert[]): Mixture {
  const even = evenMixture(experts.length, keepsLongRun(spec));
  if ((spec.revision ?? 0) < 21) return even;
  const isFirst = (expert: Expert) => 'secondOrder' in expert && expert.secondOrder;
  const weights = Float64Array.from(experts, (each) => (isFirst(each) ? firstShare : 1));
  return { ...even, weights: shares(weights) };
}

/** Experts that count less than such a share of what the best one does have no say in an answer. */
const leastShare = 0.1;

/**
 * How much the answer of each expert counts. Since revision 11 those that hardly count have no say:
 * all keep a share, so that they may come back, but one that is far off would spoil the answer.
 */
export function answeringWeights(
  { revision = 0 }: Pick<Spec, 'revision'>,
  { weights }: Mixture,
): Float64Array {
  if (revision < 11) return weights;
  const best = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return shares(weights.map((weight) => (weight < leastShare * best ? 0 : weight)));
}

/**
 * What the experts predict together: values or probabilities, weighted.
 *
 * @param weights {@link answeringWeights}
 * @param each what each predicts, [count, outputs]
 */
export function mixed(weights: Float64Array, each: readonly Float32Array[]): Float32Array {
  const sums = new Float64Array(each[0]?.length ?? 0);
  each.forEach((predictions, expert) => {
    const weight = weights[expert] ?? 0;
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] ?? 0) + weight * (predictions[i] ?? 0);
  });
  return Float32Array.from(sums);
}

/**
 * How much a sample says of experts, of what one of means says. Of a quantile far from the middle,
 * one label in many is what says most: the others would tell that those are best who are never
 * right of it. (Of specs since revision 19.)
 */
function news({ loss, revision = 0 }: Spec): number {
  if (typeof loss !== 'object' || revision < 19) return 1;
  return 2 * Math.min(loss.quantile, 1 - loss.quantile);
}

/** The mixture after some samples, all of which were predicted before any was learnt. */
export function reweighed(
  spec: Spec,
  mixture: Mixture,
  judgement: Judgement,
  constants: Constants,
): Mixture {
  const { weight } = judgement;
  if (weight === 0) return mixture;
  const said = weight * news(spec);
  const losses = meanLosses(judgement);
  const errors = runningErrors(spec, mixture.errors, losses, said);
  const heard = Math.min(said, mostEvidence(spec));
  const earned = timesEarned(mixture.weights, losses, (eta * heard) / unitOf(spec, errors));
  const dealt = Math.min(mostDealt, 1 - power(kept, said));
  const squares = squaresToRemember(spec, judgement, constants);
  const longRun = mixture.longRun && longRunAfter(mixture.longRun, { squares, weight });
  const shared = earned.map((weight, expert) => {
    const usual = mixture.usual[expert] ?? 0;
    const anew = (1 - dealtAlike) * usual + dealtAlike / earned.length;
    return (1 - dealt) * weight + dealt * anew;
  });
  const weights = longRun ? guarded(shared, longRun, constants) : shared;
  const before = power(usualKept, heard);
  const usual = mixture.usual.map(
    (own, expert) => before * own + (1 - before) * (weights[expert] ?? 0),
  );
  return { weights, usual, errors, ...(longRun && { longRun }) };
}

/**
 * The mixture that would have predicted samples best of which no expert has learnt one, such as
 * held-out rows: what the experts earned on all of them together, without regard to their order.
 */
export function chosen(spec: Spec, judgement: Judgement, constants: Constants): Mixture {
  const even = evenMixture(judgement.losses.length, keepsLongRun(spec));
  if (judgement.weight === 0) return even;
  const losses = meanLosses(judgement);
  const errors = spec.task === 'regression' ? losses : even.errors;
  const earned = timesEarned(even.weights, losses, judgement.weight / unitOf(spec, errors));
  const least = earned.map((weight) => Math.max(weight, leastWeight));
  const longRun = even.longRun && longRunAfter(even.longRun, judgement);
  const weights = longRun ? guarded(least, longRun, constants) : shares(least);
  return { weights, usual: weights, errors, ...(longRun && { longRun }) };
}

function meanLosses({ losses, weight }: Judgement): Float64Array {
  return losses.map((sum) => sum / weight);
}

/** Weights times e to the power of what each is behind the best, which sum to 1. */
function timesEarned(weights: Float64Array, losses: Float64Array, factor: number): Float64Array {
  const best = losses.reduce((least, loss) => Math.min(least, loss), Number.POSITIVE_INFINITY);
  const earned = weights.map((weight, expert) => {
    const behind = (losses[expert] ?? best) - best;
    return behind === 0 ? weight : weight * exponential(-behind * factor);
  });
  const total = sumOf(earned);
  return total > 0 ? earned.map((weight) => weight / total) : weights;
}

/** What losses are measured by: of a regression the running error of the best expert. */
function unitOf({ task }: Spec, errors: Float64Array): number {
  return task === 'regression' ? errors.reduce((least, error) => Math.min(least, error)) : 1;
}

function runningErrors(
  { task }: Spec,
  before: Float64Array,
  now: Float64Array,
  weight: number,
): Float64Array {
  if (task !== 'regression') return before;
  const left = before.some((error) => error > 0) ? power(kept, weight) : 0;
  return before.map((error, expert) => left * error + (1 - left) * (now[expert] ?? 0));
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
