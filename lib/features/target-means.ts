import { decayOf, wholePower } from '../arithmetic.ts';
import type {
  EncodedSamples,
  Floats,
  Layout,
  OwnRows,
  TargetColumns,
  TargetTable,
} from './samples.ts';

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

/**
 * Writes how far the mean label of a row's values is from that of all, from what was known before
 * it; 0 while nothing is known.
 */
export function writeTargetMean(
  columns: TargetColumns,
  sums: TargetSums,
  { layout: { numberWidth, categoryCount }, samples: { raw, categories } }: OwnRows,
  row: number,
): void {
  const index = categories[row * categoryCount + columns.categoryOffset] ?? 0;
  writeMean(columns, sums, index, {
    into: raw,
    place: row * numberWidth + columns.numberOffset,
  });
}

/** How far the mean label of each bucket of values is from that of all, [rows, outputs]. */
export function allTargetMeans(table: TargetTable, sums: TargetSums): Float64Array {
  const means = new Float64Array(table.rows * table.outputs);
  for (let index = 0; index < table.rows; index++)
    writeMean(table, sums, index, { into: means, place: index * table.outputs });
  return means;
}

function writeMean(
  { smoothing, outputs }: TargetTable,
  { sums, counts, total, totalCount }: TargetSums,
  index: number,
  { into, place }: { readonly into: Floats; readonly place: number },
): void {
  const count = counts[index] ?? 0;
  for (let output = 0; output < outputs; output++) {
    const usual = totalCount > 0 ? (total[output] ?? 0) / totalCount : 0;
    const beyond = (sums[index * outputs + output] ?? 0) - count * usual;
    into[place + output] = beyond / (count + smoothing);
  }
}

/** Adds rows to sums one by one, in place. */
export function targetAdder({ outputs, halfLife, categoryOffset }: TargetColumns) {
  const decay = halfLife === undefined ? 1 : decayOf(halfLife);
  return (
    { sums, counts, total }: Omit<TargetSums, 'totalCount'>,
    { layout: { categoryCount }, samples: { categories, labels } }: OwnRows,
    row: number,
  ): void => {
    const index = categories[row * categoryCount + categoryOffset] ?? 0;
    const label = labels[row] ?? 0;
    counts[index] = (counts[index] ?? 0) * decay + 1;
    for (let output = 0; output < outputs; output++) {
      const own = outputs === 1 ? label : Number(label === output);
      const place = index * outputs + output;
      sums[place] = (sums[place] ?? 0) * decay + own;
      total[output] = (total[output] ?? 0) + own;
    }
  };
}

/** Sums that may be added to. */
export function copyOfTargets({ sums, counts, total, totalCount }: TargetSums): TargetSums {
  return { sums: sums.slice(), counts: counts.slice(), total: total.slice(), totalCount };
}

/** The sums after some samples; the ones before are not changed. */
export function addTargets(
  columns: TargetColumns,
  before: TargetSums,
  samples: EncodedSamples,
  layout: Layout,
): TargetSums {
  const after = copyOfTargets(before);
  const add = targetAdder(columns);
  for (let row = 0; row < samples.count; row++) add(after, { samples, layout }, row);
  return { ...after, totalCount: before.totalCount + samples.count };
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
