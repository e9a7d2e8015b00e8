import { decayOf } from '../arithmetic.ts';
import { type Edit, type Numbers, PagedNumbers } from './paged-numbers.ts';
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
  readonly sums: PagedNumbers;
  /** [rows]: how many samples they stand for. */
  readonly counts: PagedNumbers;
  /** The same of all samples, [outputs] and [1]. */
  readonly total: Float64Array;
  readonly totalCount: number;
};

/** Sums of no samples. */
export function emptyTargets({ rows, outputs }: TargetTable): TargetSums {
  return {
    sums: PagedNumbers.zeros(rows * outputs),
    counts: PagedNumbers.zeros(rows),
    total: new Float64Array(outputs),
    totalCount: 0,
  };
}

/** Sums as far as they can be read, whether or not they are still added to. */
type ReadableSums = Omit<TargetSums, 'sums' | 'counts'> & {
  readonly sums: Numbers;
  readonly counts: Numbers;
};

/**
 * Writes how far the mean label of a row's values is from that of all, from what was known before
 * it; 0 while nothing is known.
 */
export function writeTargetMean(
  columns: TargetColumns,
  sums: ReadableSums,
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
  { sums, counts, total, totalCount }: ReadableSums,
  index: number,
  { into, place }: { readonly into: Floats; readonly place: number },
): void {
  const count = counts.at(index);
  for (let output = 0; output < outputs; output++) {
    const usual = totalCount > 0 ? (total[output] ?? 0) / totalCount : 0;
    const beyond = sums.at(index * outputs + output) - count * usual;
    into[place + output] = beyond / (count + smoothing);
  }
}

/** Sums to which rows are added one by one. */
export class GrowingTargets {
  readonly sums: Edit;
  readonly counts: Edit;
  readonly total: Float64Array;
  totalCount: number;
  readonly #columns: TargetColumns;
  readonly #decay: number;

  /** @param before nobody sees what is added */
  constructor(columns: TargetColumns, before: TargetSums) {
    this.sums = before.sums.edit();
    this.counts = before.counts.edit();
    this.total = before.total.slice();
    this.totalCount = before.totalCount;
    this.#columns = columns;
    this.#decay = columns.halfLife === undefined ? 1 : decayOf(columns.halfLife);
  }

  add({ layout: { categoryCount }, samples: { categories, labels } }: OwnRows, row: number): void {
    const { outputs, categoryOffset } = this.#columns;
    const { sums, counts, total } = this;
    const index = categories[row * categoryCount + categoryOffset] ?? 0;
    const label = labels[row] ?? 0;
    counts.set(index, counts.at(index) * this.#decay + 1);
    for (let output = 0; output < outputs; output++) {
      const own = outputs === 1 ? label : Number(label === output);
      const place = index * outputs + output;
      sums.set(place, sums.at(place) * this.#decay + own);
      total[output] = (total[output] ?? 0) + own;
    }
    this.totalCount += 1;
  }

  /** The sums of all rows so far, which later ones do not change. */
  now(): TargetSums {
    const { sums, counts, total, totalCount } = this;
    return { sums: sums.now(), counts: counts.now(), total: total.slice(), totalCount };
  }
}

/** The sums after some samples; the ones before are not changed. */
export function addTargets(
  columns: TargetColumns,
  before: TargetSums,
  samples: EncodedSamples,
  layout: Layout,
): TargetSums {
  const after = new GrowingTargets(columns, before);
  for (let row = 0; row < samples.count; row++) after.add({ samples, layout }, row);
  return after.now();
}

/** The sums of both sets of samples together, `b` the later ones. */
export function mergeTargets(
  { outputs, halfLife }: TargetTable,
  a: TargetSums,
  b: TargetSums,
): TargetSums {
  const decay = halfLife === undefined ? 1 : decayOf(halfLife);
  // What is left of the earlier ones is the decay to the power of how many the later ones are, of
  // which the faded count is the sum of the powers below it.
  const left = b.counts.whole().map((count) => Math.max(0, 1 - count * (1 - decay)));
  return {
    sums: a.sums.map(
      (sum, place) => sum * (left[Math.floor(place / outputs)] ?? 1) + b.sums.at(place),
    ),
    counts: a.counts.map((count, row) => count * (left[row] ?? 1) + b.counts.at(row)),
    total: a.total.map((sum, output) => sum + (b.total[output] ?? 0)),
    totalCount: a.totalCount + b.totalCount,
  };
}
