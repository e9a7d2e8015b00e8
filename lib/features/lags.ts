import { type Edit, type Numbers, PagedNumbers } from './paged-numbers.ts';
import type { EncodedSamples, LagColumns, LagTable, Layout, OwnRows } from './samples.ts';

/** The last values of each row of a table, the newest first; float64. */
export type LagHistory = {
  /** [rows, depth] */
  readonly values: PagedNumbers;
  /** [rows]: how many there are, at most `depth`. */
  readonly counts: PagedNumbers;
  /** The sum of all values so far, and how many there were, [2]. */
  readonly total: Float64Array;
};

/** Histories of no samples. */
export function emptyLags({ rows, depth }: LagTable): LagHistory {
  return {
    values: PagedNumbers.zeros(rows * depth),
    counts: PagedNumbers.zeros(rows),
    total: new Float64Array(2),
  };
}

/** A history as far as it can be read, whether or not it is still added to. */
type ReadableHistory = Omit<LagHistory, 'values' | 'counts'> & {
  readonly values: Numbers;
  readonly counts: Numbers;
};

/**
 * Writes what the values some steps ago were, from what was known before a row: how far a number
 * was from the mean of all so far, or 1 for the class that it was; 0 where nothing is known.
 */
export function writeLags(
  columns: LagColumns,
  { values, counts, total }: ReadableHistory,
  own: OwnRows,
  row: number,
): void {
  const { depth, steps, outputs, numberOffset } = columns;
  const mean = usualLag(columns, total);
  const index = indexOf(columns, own, row);
  const place = row * own.layout.numberWidth + numberOffset;
  const { raw } = own.samples;
  steps.forEach((step, i) => {
    const isKnown = step <= counts.at(index);
    const value = values.at(index * depth + step - 1);
    for (let output = 0; output < outputs; output++) {
      const known = outputs === 1 ? value - mean : Number(value === output);
      raw[place + i * outputs + output] = isKnown ? known : 0;
    }
  });
}

/** What stands for a value that is not known: the mean of all so far; of classes, none. */
export function usualLag(
  { outputs }: Pick<LagColumns, 'outputs'>,
  [sum = 0, all = 0]: LagHistory['total'],
): number {
  return outputs > 1 || all === 0 ? 0 : sum / all;
}

function indexOf({ categoryOffset }: LagColumns, { layout, samples }: OwnRows, row: number) {
  if (categoryOffset === undefined) return 0;
  return samples.categories[row * layout.categoryCount + categoryOffset] ?? 0;
}

/** Histories to which rows are added one by one. */
export class GrowingLags {
  readonly values: Edit;
  readonly counts: Edit;
  readonly total: Float64Array;
  readonly #columns: LagColumns;

  /** @param before nobody sees what is added */
  constructor(columns: LagColumns, before: LagHistory) {
    this.values = before.values.edit();
    this.counts = before.counts.edit();
    this.total = before.total.slice();
    this.#columns = columns;
  }

  /** Adds the value of a row; one that is not known is left out. */
  add(own: OwnRows, row: number): void {
    const { depth, source } = this.#columns;
    const { labels, raw } = own.samples;
    const value = source === undefined ? labels[row] : raw[row * own.layout.numberWidth + source];
    if (value === undefined || Number.isNaN(value)) return;
    const { values, counts, total } = this;
    const index = indexOf(this.#columns, own, row);
    const start = index * depth;
    const known = counts.at(index);
    for (let step = Math.min(known, depth - 1); step > 0; step--)
      values.set(start + step, values.at(start + step - 1));
    values.set(start, value);
    counts.set(index, Math.min(known + 1, depth));
    total[0] = (total[0] ?? 0) + value;
    total[1] = (total[1] ?? 0) + 1;
  }

  /** The histories of all rows so far, which later ones do not change. */
  now(): LagHistory {
    const { values, counts, total } = this;
    return { values: values.now(), counts: counts.now(), total: total.slice() };
  }
}

/** The histories after some samples; the ones before are not changed. */
export function addLags(
  columns: LagColumns,
  before: LagHistory,
  samples: EncodedSamples,
  layout: Layout,
): LagHistory {
  const after = new GrowingLags(columns, before);
  for (let row = 0; row < samples.count; row++) after.add({ samples, layout }, row);
  return after.now();
}

/** The histories of both sets of samples together, `b` the later ones. */
export function mergeLags({ rows, depth }: LagTable, a: LagHistory, b: LagHistory): LagHistory {
  const total = a.total.map((own, i) => own + (b.total[i] ?? 0));
  const [values, counts] = [b.values.edit(), b.counts.edit()];
  for (let row = 0; row < rows; row++) {
    const later = b.counts.at(row);
    const kept = Math.min(a.counts.at(row), depth - later);
    const start = row * depth;
    for (let i = 0; i < kept; i++) values.set(start + later + i, a.values.at(start + i));
    if (kept > 0) counts.set(row, later + kept);
  }
  return { values: values.now(), counts: counts.now(), total };
}

/** {@link mergeLags} of each lag of a layout; undefined where it has none. */
export function mergeAllLags(
  { lags }: Layout,
  a: readonly LagHistory[] = [],
  b: readonly LagHistory[] = [],
): readonly LagHistory[] | undefined {
  return lags?.map((columns, i) =>
    mergeLags(columns, a[i] ?? emptyLags(columns), b[i] ?? emptyLags(columns)),
  );
}
