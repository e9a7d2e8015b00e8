import type { EncodedSamples, LagColumns, LagTable, Layout, OwnRows } from './samples.ts';

/** The last values of each row of a table, the newest first; float64. */
export type LagHistory = {
  /** [rows, depth] */
  readonly values: Float64Array;
  /** [rows]: how many there are, at most `depth`. */
  readonly counts: Float64Array;
  /** The sum of all values so far, and how many there were, [2]. */
  readonly total: Float64Array;
};

/** Histories of no samples. */
export function emptyLags({ rows, depth }: LagTable): LagHistory {
  return {
    values: new Float64Array(rows * depth),
    counts: new Float64Array(rows),
    total: new Float64Array(2),
  };
}

/**
 * Writes what the values some steps ago were, from what was known before a row: how far a number
 * was from the mean of all so far, or 1 for the class that it was; 0 where nothing is known.
 */
export function writeLags(
  columns: LagColumns,
  { values, counts, total }: LagHistory,
  own: OwnRows,
  row: number,
): void {
  const { depth, steps, outputs, numberOffset } = columns;
  const mean = usualLag(columns, total);
  const index = indexOf(columns, own, row);
  const place = row * own.layout.numberWidth + numberOffset;
  const { raw } = own.samples;
  steps.forEach((step, i) => {
    const isKnown = step <= (counts[index] ?? 0);
    const value = values[index * depth + step - 1] ?? 0;
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

/** Adds the value of a row to histories, in place; one that is not known is left out. */
export function addLag(
  columns: LagColumns,
  { values, counts, total }: LagHistory,
  own: OwnRows,
  row: number,
): void {
  const { depth, source } = columns;
  const { labels, raw } = own.samples;
  const value = source === undefined ? labels[row] : raw[row * own.layout.numberWidth + source];
  if (value === undefined || Number.isNaN(value)) return;
  const index = indexOf(columns, own, row);
  const start = index * depth;
  values.copyWithin(start + 1, start, start + depth - 1);
  values[start] = value;
  counts[index] = Math.min((counts[index] ?? 0) + 1, depth);
  total[0] = (total[0] ?? 0) + value;
  total[1] = (total[1] ?? 0) + 1;
}

/** Histories that may be added to. */
export function copyOfLags({ values, counts, total }: LagHistory): LagHistory {
  return { values: values.slice(), counts: counts.slice(), total: total.slice() };
}

/** The histories after some samples; the ones before are not changed. */
export function addLags(
  columns: LagColumns,
  before: LagHistory,
  samples: EncodedSamples,
  layout: Layout,
): LagHistory {
  const after = copyOfLags(before);
  for (let row = 0; row < samples.count; row++) addLag(columns, after, { samples, layout }, row);
  return after;
}

/** The histories of both sets of samples together, `b` the later ones. */
export function mergeLags({ rows, depth }: LagTable, a: LagHistory, b: LagHistory): LagHistory {
  const total = a.total.map((own, i) => own + (b.total[i] ?? 0));
  const merged = { ...copyOfLags(b), total };
  for (let row = 0; row < rows; row++) {
    const [earlier, later] = [a.counts[row] ?? 0, b.counts[row] ?? 0];
    const kept = Math.min(earlier, depth - later);
    const start = row * depth;
    merged.values.set(a.values.subarray(start, start + kept), start + later);
    merged.counts[row] = later + kept;
  }
  return merged;
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
