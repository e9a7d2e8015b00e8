import { greatestFloat32, logarithm } from '../../arithmetic.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { gaussians, squaredDistances } from './likeness.ts';
import {
  alikeShare,
  bandwidths,
  type Comparison,
  columnShares,
  comparisonOf,
  factorOf,
  type Kept,
  keptIn,
  type Memory,
  reaches,
  usualShares,
  type Window,
  within,
} from './memory.ts';

/** How much is left of what each reach and bandwidth lost, after one more. */
const lossesKept = 0.99;
/** How much a sample says of the usual distance, at least. */
const leastNews = 0.01;
/** No error of a regression says more, in squared deviations. */
const mostSquare = 9;
/** How far a column's logarithm moves at first, and how much is left of its squared slopes. */
const [metricRate, slopesKept] = [0.3, 0.999];
/** No error says more of columns, in deviations; no class is told by a smaller share. */
const [mostError, leastShare] = [3, 1e-3];
/** How much more or less than usual a column counts at most: a logarithm. */
const mostColumn = 5;
/** What is less counts as 0 once it is squared. */
const leastLikeness = 1e-100;

/** A sample beside those that are kept, and what is said of its label. */
type Observed = {
  readonly point: Float32Array;
  /** Those that are kept, and how far from it they are. */
  readonly kept: Kept;
  readonly distances: Float64Array;
  /** How much each column counted in that. */
  readonly columns: Float64Array;
  /** What each of those says, [kept, wanted]: its label; of classes 1 if it is the same, else 0. */
  readonly said: Float64Array;
  /** What would be right: the label; of classes 1. */
  readonly wanted: Float64Array;
  /** The share that its class has anyway. */
  readonly usual: number;
};

/**
 * Compares a sample with those that are kept, and learns by its label which columns, bandwidth and
 * reach tell best who is like it. (One of each step: those that come with it resemble it.)
 */
export function compare(
  window: Window,
  memory: Memory,
  samples: EncodedSamples,
  row: number | undefined,
): void {
  const kept = keptIn(window, memory);
  if (row === undefined || kept.count === 0) return;
  const { losses } = memory;
  const observed = observedAt(window, memory, kept, { samples, row });
  learnSpread(memory, observed.distances);
  learnColumns(window, memory, observed);
  const weight = samples.weights[row] ?? 0;
  const means = new Float64Array(observed.wanted.length);
  const widest = factorOf(memory, bandwidths[0] ?? 1);
  reaches.forEach((reach, i) => {
    const near = nearOf(observed, { most: within(window, reach), factor: widest });
    for (let j = 0; j < bandwidths.length; j++) {
      toMeans(near, means);
      square(near.likeness);
      const at = i * bandwidths.length + j;
      losses[at] = lossesKept * (losses[at] ?? 0) + weight * lossOf(window, observed, means);
    }
  });
}

function observedAt(
  window: Window,
  memory: Memory,
  kept: Kept,
  { samples, row }: { readonly samples: EncodedSamples; readonly row: number },
): Observed {
  const { numbers: width, kind, classes } = window;
  const point = samples.numbers.subarray(row * width, (row + 1) * width);
  const label = samples.labels.subarray(row * kind.width, (row + 1) * kind.width);
  const columns = columnShares(memory);
  const distances = new Float64Array(kept.count);
  const points = { values: memory.numbers, size: window.size, columns };
  squaredDistances(point, points, kept.ranges, distances);
  const own = label[0] ?? 0;
  const said = Float64Array.from(kept.labels);
  if (classes > 0) for (let i = 0; i < said.length; i++) said[i] = said[i] === own ? 1 : 0;
  const shares = usualShares(window, memory);
  const isFirst = kind.isBinary && own === 0;
  return {
    point,
    kept,
    distances,
    columns,
    said,
    wanted: classes > 0 ? Float64Array.of(1) : Float64Array.from(label),
    usual: isFirst ? 1 - (shares[0] ?? 0) : (shares[kind.isBinary ? 0 : own] ?? 0),
  };
}

function learnSpread({ spread }: Memory, distances: Float64Array): void {
  const [before = 0, told = 0] = spread;
  const mean = distances.reduce((sum, each) => sum + each, 0) / distances.length;
  const usual = before + Math.max(leastNews, 1 / (told + 1)) * (mean - before);
  spread.set([Math.min(usual, greatestFloat32), told + 1]);
}

/** How alike some samples are, how much each counts, and what they say. */
type Near = {
  readonly likeness: Float64Array;
  readonly weights: Float32Array;
  readonly said: Float64Array;
};

/** How alike a sample is those that it is compared with, the oldest first. */
function nearOf({ kept, distances, said, wanted }: Observed, { most, factor }: Comparison): Near {
  const first = Math.max(0, kept.count - most);
  const likeness = new Float64Array(kept.count - first);
  gaussians(distances.subarray(first), factor, likeness);
  return {
    likeness,
    weights: kept.weights.subarray(first),
    said: said.subarray(first * wanted.length),
  };
}

/** Writes the mean of what is said. @returns how much that counts in all */
function toMeans({ likeness, weights, said }: Near, means: Float64Array): number {
  const { length: width } = means;
  let total = 0;
  for (let i = 0; i < likeness.length; i++) total += (likeness[i] ?? 0) * (weights[i] ?? 0);
  for (let output = 0; output < width; output++) {
    let sum = 0;
    for (let i = 0, at = output; i < likeness.length; i++, at += width)
      sum += (likeness[i] ?? 0) * (weights[i] ?? 0) * (said[at] ?? 0);
    means[output] = sum / total;
  }
  return total;
}

/** Half the bandwidth squares a Gaussian. */
function square(likeness: Float64Array): void {
  for (let i = 0; i < likeness.length; i++) {
    const near = likeness[i] ?? 0;
    likeness[i] = near > leastLikeness ? near * near : 0;
  }
}

function lossOf({ classes }: Window, { wanted, usual }: Observed, means: Float64Array): number {
  if (classes > 0) return -logarithm(Math.max(shareOf(means, usual), 1e-30));
  let sum = 0;
  for (let output = 0; output < means.length; output++) {
    const way = (means[output] ?? 0) - (wanted[output] ?? 0);
    sum += Math.min(way * way, mostSquare);
  }
  return sum / means.length;
}

/** The share that is answered of a class. */
function shareOf([mean = 0]: Float64Array, usual: number): number {
  return (1 - alikeShare) * mean + alikeShare * usual;
}

/**
 * Lets columns count more by which samples are near whose labels are alike: a step down the slope
 * of the loss (metric learning for kernel regression, Weinberger and Tesauro 2007), as long as
 * Adagrad has it.
 */
function learnColumns(window: Window, memory: Memory, observed: Observed): void {
  const { kept, wanted, usual, columns: shares } = observed;
  const { columns, slopes } = memory;
  const comparison = comparisonOf(window, memory);
  const near = nearOf(observed, comparison);
  const { likeness } = near;
  const means = new Float64Array(wanted.length);
  const total = toMeans(near, means);
  // What the loss gains by another value of each mean.
  const gains = means.map((mean, output) => {
    if (window.classes > 0) return (1 - alikeShare) / Math.max(shareOf(means, usual), leastShare);
    const error = mean - (wanted[output] ?? 0);
    return -Math.min(Math.max(error, -mostError), mostError) / means.length;
  });
  for (let i = 0; i < likeness.length; i++) {
    const share = ((likeness[i] ?? 0) * (near.weights[i] ?? 0)) / total;
    let gain = 0;
    for (let output = 0; output < means.length; output++)
      gain +=
        (gains[output] ?? 0) * ((near.said[i * means.length + output] ?? 0) - (means[output] ?? 0));
    likeness[i] = comparison.factor * share * gain;
  }
  const first = kept.count - likeness.length;
  const slope = slopesOf(window, memory, { ...observed, gains: likeness, first });
  let mean = 0;
  for (let column = 0; column < columns.length; column++) {
    const along = (shares[column] ?? 0) * (slope[column] ?? 0);
    const squares = slopesKept * (slopes[column] ?? 0) + along * along;
    slopes[column] = Math.min(squares, greatestFloat32);
    const step = squares > 0 ? (metricRate * along) / Math.sqrt(squares) : 0;
    columns[column] = (columns[column] ?? 0) - step;
    mean += (columns[column] ?? 0) / columns.length;
  }
  for (let column = 0; column < columns.length; column++)
    columns[column] = Math.min(Math.max((columns[column] ?? 0) - mean, -mostColumn), mostColumn);
}

/** What the loss gains by more of each column: of the squared differences, times their gains. */
function slopesOf(
  { numbers, size }: Window,
  { numbers: values }: Memory,
  {
    point,
    kept,
    gains,
    first,
  }: Pick<Observed, 'point' | 'kept'> & { readonly gains: Float64Array; readonly first: number },
): Float64Array {
  const slopes = new Float64Array(numbers);
  for (let column = 0; column < numbers; column++) {
    const own = point[column] ?? 0;
    let [sum, place] = [0, -first];
    for (const { start, end } of kept.ranges)
      for (let at = column * size + start; at < column * size + end; at++, place++) {
        if (place < 0) continue;
        const way = (values[at] ?? 0) - own;
        sum += (gains[place] ?? 0) * way * way;
      }
    slopes[column] = sum;
  }
  return slopes;
}
