import { decayOf, wholePower } from '../arithmetic.ts';
import type { EncodedSamples, Layout, TargetColumns, TargetTable } from './samples.ts';

/** Sums of labels by what a sample's values are; float64. */
export type TargetSums = {
  /** [rows, outputs]: of each value, the sum of its labels, or how often it had each class. */
  readonly sums: Float64Array;
  /** [rows]: how many samples they stand for. */
  readonly counts: Float64Array;
  /** The same of all samples, [outputs] and [1]. */
  readonly total: Float64Array;
  readonly totalCount: number;
};

/** Sums of no samples. */
export function emptyTargets({ rows, outputs }: TargetTable): TargetSums {
  return {
    sums: new Float64Array(rows * outputs),
    counts: new Float64Array(rows),
    total: new Float64Array(outputs),
    totalCount: 0,
  };
}

/** Writes the mean labels of each sample's values, from what was known before it. */
export function writeTargetMeans(
  { smoothing, outputs, numberOffset, categoryOffset }: TargetColumns,
  { sums, counts, total, totalCount }: TargetSums,
  samples: EncodedSamples,
  layout: Layout,
): void {
  const { numberWidth, categoryCount } = layout;
  for (let row = 0; row < samples.count; row++) {
    const index = samples.categories[row * categoryCount + categoryOffset] ?? 0;
    const count = (counts[index] ?? 0) + smoothing;
    for (let output = 0; output < outputs; output++) {
      const usual = totalCount > 0 ? (total[output] ?? 0) / totalCount : 0;
      const sum = (sums[index * outputs + output] ?? 0) + smoothing * usual;
      samples.raw[row * numberWidth + numberOffset + output] = sum / count;
    }
  }
}

/** The sums after some samples; the ones before are not changed. */
export function addTargets(
  { outputs, halfLife, categoryOffset }: TargetColumns,
  before: TargetSums,
  { count, categories, labels }: EncodedSamples,
  { categoryCount }: Pick<Layout, 'categoryCount'>,
): TargetSums {
  const [sums, counts, total] = [before.sums.slice(), before.counts.slice(), before.total.slice()];
  const decay = halfLife === undefined ? 1 : decayOf(halfLife);
  for (let row = 0; row < count; row++) {
    const index = categories[row * categoryCount + categoryOffset] ?? 0;
    const label = labels[row] ?? 0;
    counts[index] = (counts[index] ?? 0) * decay + 1;
    for (let output = 0; output < outputs; output++) {
      const own = outputs === 1 ? label : Number(label === output);
      const place = index * outputs + output;
      sums[place] = (sums[place] ?? 0) * decay + own;
      total[output] = (total[output] ?? 0) + own;
    }
  }
  return { sums, counts, total, totalCount: before.totalCount + count };
}

/** The sums of both sets of samples together, `b` the later ones. */
export function mergeTargets(
  { outputs, halfLife }: TargetTable,
  a: TargetSums,
  b: TargetSums,
): TargetSums {
  const decay = halfLife === undefined ? 1 : decayOf(halfLife);
  // (What the later ones have forgotten themselves no longer counts.)
  const left = b.counts.map((count) => wholePower(decay, Math.round(count)));
  return {
    sums: a.sums.map(
      (sum, place) => sum * (left[Math.floor(place / outputs)] ?? 1) + (b.sums[place] ?? 0),
    ),
    counts: a.counts.map((count, row) => count * (left[row] ?? 1) + (b.counts[row] ?? 0)),
    total: a.total.map((sum, output) => sum + (b.total[output] ?? 0)),
    totalCount: a.totalCount + b.totalCount,
  };
}
