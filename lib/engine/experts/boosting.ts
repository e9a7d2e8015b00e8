import { logarithm } from '../../arithmetic.ts';
import { isNever, never } from '../../features/classes.ts';
import { hashIntegers } from '../../features/hash.ts';
import type { Bins } from './bins.ts';
import { powerOfMinus } from './likeness.ts';
import { type Grown, type Slopes, shrinkage, treeGrower } from './tree-growth.ts';
import { noTrees, type Shape, type Trees } from './tree-scores.ts';
import { weightedQuantile } from './weighted-quantile.ts';

/** No row goes further up or down in one tree, in units of labels. */
const mostError = 10;
/** The least curvature of a row, where it is told already. */
const leastCurvature = 1e-3;
/** No leaf goes further, in log-odds, before the rate. */
const mostStep = 4;

/** What rows are to be told: values, 0 or 1, or the indices of classes. */
export type Told = {
  /** [rows], of a regression [rows, outputs] */
  readonly labels: Float32Array;
  /** [rows], 1 on average */
  readonly weights: Float64Array;
  /** Of a regression what is a usual distance of labels, [outputs]. */
  readonly units: Float64Array;
  /** What trees before those that are grown say, [rows, outputs]; unless these are the first. */
  readonly scores?: Float64Array;
};

/**
 * Trees of which each follows the slope of what those before it leave (gradient boosting, Friedman
 * 2001), by steps of Newton; of a quantile, by that of what is left of a leaf's rows. Where an
 * answer has several numbers, a tree is grown along a direction that is drawn, and each of its
 * leaves says all of them (Iosipoi and Vakhrushev 2022).
 *
 * @param before the trees until now. Without scores of what rows are told, those that last are
 *   grown, and others are gone; with them the others
 */
export function boosted(bins: Bins, told: Told, shape: Shape, before: Trees): Trees {
  const { outputs, seed, lasting } = shape;
  const { rows } = bins;
  const isFirst = told.scores === undefined;
  const [first, end] = isFirst ? [0, lasting] : [lasting, shape.trees];
  const none = noTrees(shape);
  const trees = isFirst
    ? { ...none, base: baseOf(told, shape, before.base), share: before.share }
    : lastingOf(before, none, shape);
  const scores = told.scores?.slice() ?? new Float64Array(rows * outputs);
  if (isFirst) for (let row = 0; row < rows; row++) scores.set(trees.base, row * outputs);
  const slopes = new Float64Array(rows * outputs);
  const curvatures = new Float64Array(rows * outputs);
  const grow = treeGrower(bins, shape.leaves);
  for (let tree = first; tree < end; tree++) {
    toSlopes(told, shape, scores, { slopes, curvatures });
    const following = along(directionOf(seed, tree, outputs), { slopes, curvatures });
    const grown = grow(following);
    if (grown.columns.length === 0 && tree > first) break;
    writeTree(trees, shape, tree, grown);
    addLeaves(trees, shape, tree, { told, grown, scores, slopes, curvatures });
  }
  return trees;
}

/** The trees that last, with none of the others. */
function lastingOf(before: Trees, none: Trees, { lasting, leaves, outputs }: Shape): Trees {
  const splits = lasting * (leaves - 1);
  const own = { ...none, base: before.base, share: before.share };
  own.columns.set(before.columns.subarray(0, splits));
  own.cuts.set(before.cuts.subarray(0, splits));
  own.children.set(before.children.subarray(0, 2 * splits));
  own.leaves.set(before.leaves.subarray(0, lasting * leaves * outputs));
  return own;
}

/**
 * What is said before the first tree: the mean of labels, or how frequent classes are.
 *
 * @param before what was said until now, by which it is known which classes have no place
 */
function baseOf(
  { labels, weights }: Told,
  { outputs, task, quantile }: Shape,
  before: Float32Array,
): Float32Array {
  if (quantile !== undefined)
    return Float32Array.from({ length: outputs }, (_, output) => {
      const own = Float64Array.from(weights, (_weight, row) => labels[row * outputs + output] ?? 0);
      return weightedQuantile(own, weights.slice(), quantile);
    });
  const sums = new Float64Array(outputs);
  let total = 0;
  weights.forEach((weight, row) => {
    total += weight;
    if (task === 'regression')
      for (let output = 0; output < outputs; output++)
        sums[output] = (sums[output] ?? 0) + weight * (labels[row * outputs + output] ?? 0);
    else {
      const own = task === 'binary' ? 0 : (labels[row] ?? 0);
      sums[own] = (sums[own] ?? 0) + weight * (task === 'binary' ? (labels[row] ?? 0) : 1);
    }
  });
  if (task === 'regression') return Float32Array.from(sums, (sum) => sum / total);
  // (As if each class had come half a time more.)
  if (task === 'binary')
    return Float32Array.from(sums, (sum) => logarithm((sum + 0.5) / (total - sum + 0.5)));
  const all = total + outputs / 2;
  return before.map((logit, output) =>
    isNever(logit) ? never : logarithm(((sums[output] ?? 0) + 0.5) / all),
  );
}

/** How far each output of each row is to go up by one step, and how fast that falls. */
type OfOutputs = { readonly slopes: Float64Array; readonly curvatures: Float64Array };

function toSlopes(
  { labels, weights, units }: Told,
  { outputs, task, quantile }: Shape,
  scores: Float64Array,
  { slopes, curvatures }: OfOutputs,
): void {
  for (let row = 0; row < weights.length; row++) {
    const weight = weights[row] ?? 0;
    const first = row * outputs;
    const label = labels[row] ?? 0;
    const total = task === 'multiclass' ? toPowers(scores, first, outputs, curvatures) : 1;
    for (let at = first; at < first + outputs; at++) {
      const score = scores[at] ?? 0;
      if (task === 'regression') {
        const error = (labels[at] ?? 0) - score;
        if (quantile !== undefined) {
          // (Up or down, as rare as it is: what a label says of a quantile is on which side it is.)
          slopes[at] = weight * (error > 0 ? quantile : error < 0 ? quantile - 1 : 0);
          curvatures[at] = weight * quantile * (1 - quantile);
          continue;
        }
        const most = mostError * (units[at - first] ?? 1);
        slopes[at] = weight * Math.min(Math.max(error, -most), most);
        curvatures[at] = weight;
        continue;
      }
      const share = task === 'binary' ? shareOf(score) : (curvatures[at] ?? 0) / total;
      const wanted = task === 'binary' ? label : Number(at - first === label);
      slopes[at] = weight * (wanted - share);
      curvatures[at] = weight * Math.max(share * (1 - share), leastCurvature);
    }
  }
}

/** The probability of true by log-odds, within 10⁻⁷. */
function shareOf(score: number): number {
  const power = powerOfMinus(Math.abs(score));
  return (score > 0 ? 1 : power) / (1 + power);
}

/** Writes e to the power of each logit of a row, the greatest of them a 1. @returns their sum */
function toPowers(
  scores: Float64Array,
  first: number,
  outputs: number,
  powers: Float64Array,
): number {
  let greatest = Number.NEGATIVE_INFINITY;
  for (let at = first; at < first + outputs; at++) greatest = Math.max(greatest, scores[at] ?? 0);
  let total = 0;
  for (let at = first; at < first + outputs; at++) {
    const power = powerOfMinus(greatest - (scores[at] ?? 0));
    powers[at] = power;
    total += power;
  }
  return total;
}

/** The direction in which a tree is grown: about normal in each output. */
function directionOf(seed: number, tree: number, outputs: number): Float64Array {
  if (outputs === 1) return Float64Array.of(1);
  return Float64Array.from({ length: outputs }, (_, output) => {
    const draw = (i: number) => hashIntegers(seed, tree, output, i) / 2 ** 32;
    return draw(0) + draw(1) + draw(2) - 1.5;
  });
}

function along(direction: Float64Array, { slopes, curvatures }: OfOutputs): Slopes {
  const outputs = direction.length;
  if (outputs === 1) return { slopes, curvatures };
  const rows = slopes.length / outputs;
  const own = { slopes: new Float64Array(rows), curvatures: new Float64Array(rows) };
  // (Scaled, so that the least curvature of a leaf means as much.)
  const square = direction.reduce((sum, way) => sum + way * way, 0) / outputs;
  for (let row = 0; row < rows; row++) {
    let [slope, curvature] = [0, 0];
    for (let output = 0; output < outputs; output++) {
      const way = direction[output] ?? 0;
      slope += way * (slopes[row * outputs + output] ?? 0);
      curvature += way * way * (curvatures[row * outputs + output] ?? 0);
    }
    own.slopes[row] = slope / Math.sqrt(square);
    own.curvatures[row] = curvature / square;
  }
  return own;
}

function writeTree(
  { columns, cuts, children }: Trees,
  { leaves }: Shape,
  tree: number,
  grown: Grown,
): void {
  const first = tree * (leaves - 1);
  columns.set(grown.columns, first);
  cuts.set(grown.cuts, first);
  children.set(grown.children.flat(), 2 * first);
}

/** The quantile of what is left of the labels of some rows. */
function quantileLeft(
  { labels, weights }: Told,
  scores: Float64Array,
  rows: Int32Array,
  {
    output,
    outputs,
    quantile,
  }: { readonly output: number; readonly outputs: number; readonly quantile: number },
): number {
  const left = Float64Array.from(rows, (row) => {
    const at = row * outputs + output;
    return (labels[at] ?? 0) - (scores[at] ?? 0);
  });
  return weightedQuantile(
    left,
    Float64Array.from(rows, (row) => weights[row] ?? 0),
    quantile,
  );
}

/** What leaves are made of. */
type Leafage = OfOutputs & {
  readonly told: Told;
  readonly grown: Grown;
  readonly scores: Float64Array;
};

/** Writes what each leaf says, and adds it to the scores of its rows. */
function addLeaves(
  { leaves }: Trees,
  { leaves: most, outputs, rate, task, quantile }: Shape,
  tree: number,
  { told, grown, scores, slopes, curvatures }: Leafage,
): void {
  const { order } = grown;
  grown.leaves.forEach(({ start, end }, leaf) => {
    for (let output = 0; output < outputs; output++) {
      let [slope, curvature] = [0, 0];
      for (let i = start; i < end; i++) {
        const at = (order[i] ?? 0) * outputs + output;
        slope += slopes[at] ?? 0;
        curvature += curvatures[at] ?? 0;
      }
      const whole =
        quantile === undefined
          ? slope / (curvature + shrinkage)
          : (curvature / (curvature + shrinkage)) *
            quantileLeft(told, scores, order.subarray(start, end), { output, outputs, quantile });
      const step = task === 'regression' ? whole : Math.min(Math.max(whole, -mostStep), mostStep);
      const at = (tree * most + leaf) * outputs + output;
      leaves[at] = rate * step;
      const said = leaves[at] ?? 0;
      for (let i = start; i < end; i++) {
        const score = (order[i] ?? 0) * outputs + output;
        scores[score] = (scores[score] ?? 0) + said;
      }
    }
  });
}
