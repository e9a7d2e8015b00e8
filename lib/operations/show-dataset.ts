import { bytesOfObject } from '../datasets/byte-source.ts';
import { readRows } from '../datasets/rows.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { hashIntegers } from '../features/hash.ts';
import { timeOf } from '../features/kinds/timestamp.ts';
import type { Ports } from '../ports/ports.ts';
import { type Column, createProfile, flat } from './column-profile.ts';
import { dataOfDataset } from './start-job.ts';

/** Numbers of a column. */
export type NumberSummary = {
  readonly least: number;
  readonly greatest: number;
  readonly mean: number;
  readonly deviation: number;
  /** Counts of equal intervals from `from` to `to`; what lies outside counts in the outermost. */
  readonly histogram: readonly number[];
  readonly from: number;
  readonly to: number;
};

/** Times of a column, as ISO 8601. */
export type TimeSummary = Pick<NumberSummary, 'histogram'> &
  Readonly<Record<'least' | 'greatest' | 'from' | 'to', string>>;

/** What the rows of a dataset have in a column. */
export type ColumnSummary = {
  readonly column: string;
  readonly kind: 'number' | 'true or false' | 'time' | 'text' | 'vector' | 'mixed' | 'empty';
  readonly present: number;
  readonly missing: number;
  /** Of a column of numbers. */
  readonly numbers?: NumberSummary;
  /** Of a column of times. */
  readonly times?: TimeSummary;
  /**
   * Different texts, and the most frequent ones; of other columns than numbers and vectors. Of very
   * many it is not known how many they are, and those that are frequent may be more frequent still.
   */
  readonly distinct?: number;
  readonly values?: readonly { readonly value: string; readonly count: number }[];
};

/** What there is in a dataset. */
export type DatasetSummary = {
  readonly files: number;
  readonly rows: number;
  readonly refusedRows: number;
  readonly columns: readonly ColumnSummary[];
};

const intervals = 12;
/** Numbers of each column that its histogram is drawn from. */
const sampleSize = 10_000;
const shownValues = 8;

/**
 * Reads a dataset, and says what is in its columns.
 *
 * @param onRows called now and then with the rows so far
 * @throws MillraceError kind `invalid` if there is none, or a file of it cannot be read
 */
export async function showDataset(
  { store }: Pick<Ports, 'store'>,
  { dataset, files }: { readonly dataset: string; readonly files?: string | undefined },
  onRows: (rows: number) => void = () => undefined,
): Promise<DatasetSummary> {
  const objects = await dataOfDataset({ store }, dataset, files);
  const profile = createProfile();
  const [numbers, times] = [createTallies(), createTallies()];
  let refusedRows = 0;
  for (const object of objects) {
    const bytes = bytesOfObject(store, object);
    for await (const chunk of readRows({ name: object.key, bytes })) {
      refusedRows += chunk.bad.length;
      for (const row of chunk.rows) {
        for (const [name, cell] of profile.add(flat(row), chunk.rows)) {
          if (cells.isMissing(cell)) continue;
          const number = typeof cell === 'boolean' ? undefined : cells.number(cell);
          if (number === undefined) times.add(name, timeOf(cell, cells));
          else numbers.add(name, number);
        }
      }
      onRows(profile.rows());
    }
  }
  const columns = [...profile.columns.values()].map((column) =>
    summaryOf(column, numbers.summary(column.name), times.summary(column.name)),
  );
  return { files: objects.length, rows: profile.rows(), refusedRows, columns };
}

const cells = cellsOf(cellsSchema.parse({}));

/** The numbers of some columns. */
function createTallies() {
  const tallies = new Map<string, ReturnType<typeof createNumberTally>>();
  return {
    add(column: string, number: number | undefined) {
      if (number === undefined) return;
      const tally = tallies.get(column) ?? createNumberTally();
      tallies.set(column, tally);
      tally.add(number);
    },
    summary: (column: string) => tallies.get(column)?.summary(),
  };
}

function timesOf({ histogram, ...numbers }: NumberSummary): TimeSummary {
  const text = (milliseconds: number) => new Date(milliseconds).toISOString();
  return {
    least: text(numbers.least),
    greatest: text(numbers.greatest),
    histogram,
    from: text(numbers.from),
    to: text(numbers.to),
  };
}

function summaryOf(
  column: Column,
  numbers: NumberSummary | undefined,
  times: NumberSummary | undefined,
): ColumnSummary {
  const { name, present, missing, values } = column;
  const kind = kindOf(column);
  const common = { column: name, kind, present, missing };
  if (kind === 'number') return { ...common, ...(numbers && { numbers }) };
  if (kind === 'vector' || kind === 'empty') return common;
  const most = [...values].sort(([, a], [, b]) => b - a).slice(0, shownValues);
  return {
    ...common,
    ...(kind === 'time' && times && { times: timesOf(times) }),
    ...(column.hasForgotten ? {} : { distinct: values.size }),
    values: most.map(([value, count]) => ({ value, count })),
  };
}

function hasDigits(text: string): boolean {
  return /\d/.test(text);
}

function kindOf(column: Column): ColumnSummary['kind'] {
  const { present, truths, numbers, dates, dateTexts, objects, vectors } = column;
  if (present === 0) return 'empty';
  // (One number alone is hardly meant as a word.)
  const isOneNumber = column.values.size === 1 && [...column.values.keys()].every(hasDigits);
  if (truths === present && !isOneNumber) return 'true or false';
  if (numbers === present) return 'number';
  if (dates + dateTexts === present) return 'time';
  const lists = [...vectors.values()].reduce((sum, count) => sum + count, 0);
  if (lists === present) return 'vector';
  return objects + lists > 0 || numbers > 0.5 * present ? 'mixed' : 'text';
}

/**
 * Moments of numbers, and an even sample of them (Vitter 1985, algorithm R), the same each time.
 */
function createNumberTally() {
  let [count, mean, squares] = [0, 0, 0];
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const sample: number[] = [];
  return {
    add(number: number) {
      count += 1;
      const distance = number - mean;
      mean += distance / count;
      squares += distance * (number - mean);
      least = Math.min(least, number);
      greatest = Math.max(greatest, number);
      const place = count <= sampleSize ? count - 1 : hashIntegers(count) % count;
      if (place < sampleSize) sample[place] = number;
    },
    summary(): NumberSummary {
      const ordered = sample.toSorted((a, b) => a - b);
      const at = (share: number) => ordered[Math.round(share * (ordered.length - 1))] ?? 0;
      // An outlier would leave all others in one interval.
      const [from, to] = [at(0.01), at(0.99)];
      const histogram = new Array<number>(intervals).fill(0);
      for (const each of ordered) {
        const place = Math.floor(((each - from) / (to - from || 1)) * intervals);
        const inside = Math.max(0, Math.min(intervals - 1, place));
        histogram[inside] = (histogram[inside] ?? 0) + 1;
      }
      const deviation = Math.sqrt(squares / count);
      return { least, greatest, mean, deviation, histogram, from, to };
    },
  };
}
