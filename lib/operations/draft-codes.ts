import type { Row } from '../features/cell-table.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { type Column, plainValuesOf } from './column-profile.ts';

/** Whole numbers of so many values may be codes, each of a meaning of its own. */
const [leastValues, mostValues] = [13, 4_096];
/** Rows of each value, on average, without which nothing can be said of it. */
const rowsOfValue = 10;
/** Rows of a value in each half of the file, without which it is not looked at. */
const rowsOfHalf = 4;
/** The share of the label's variance that codes tell, at least. */
const leastShare = 0.02;
/** Deviations from what chance would make of it. */
const leastCertainty = 3.5;

/** Columns of times, and of what is counted up: what comes next is none of what came. */
const timeWords: ReadonlySet<string> = new Set(
  'age year month week weekday day date hour minute second time period step index t'.split(' '),
);

/** What came with a value: how many labels in each half of the file, and their sums. */
type Halves = { readonly counts: [number, number]; readonly sums: [number, number] };

const { number, text } = cellsOf(cellsSchema.parse({}));

/**
 * Finds columns of whole numbers that are codes, such as a store's or a postal one: that the label
 * is higher at a value than its neighbours make one expect, or lower, in one half of the file tells
 * that it is in the other. A quantity has no such values, but for a few at a step.
 *
 * @param label the column to predict, a number; or classes, of which the most frequent one counts
 */
export function createCodes(columns: readonly Column[], label: Column, isRegression: boolean) {
  const candidates = columns
    .filter(mayBeCodes)
    .map(({ name }) => ({ name, seen: new Map<number, Halves>() }));
  const [[commonest] = []] = [...label.values].sort(([, a], [, b]) => b - a);
  const middle = label.present / 2;
  const labels = createVariance();
  let rows = 0;
  return {
    add(row: Row): void {
      const cell = row[label.name];
      const target = isRegression ? number(cell) : Number(text(cell) === commonest);
      if (target === undefined || candidates.length === 0) return;
      rows += 1;
      // (Taken off, since sums of large labels would lose what tells them apart.)
      const value = target - labels.add(target);
      const half = rows <= middle ? 0 : 1;
      for (const { name, seen } of candidates) {
        const code = number(row[name]);
        if (code === undefined) continue;
        const own: Halves = seen.get(code) ?? { counts: [0, 0], sums: [0, 0] };
        if (own.counts[0] + own.counts[1] === 0) seen.set(code, own);
        own.counts[half] += 1;
        own.sums[half] += value;
      }
    },
    /** Names of columns that are codes. */
    found: (): ReadonlySet<string> =>
      new Set(
        candidates.flatMap(({ name, seen }) => (areCodes(seen, labels.variance()) ? [name] : [])),
      ),
  };
}

function mayBeCodes(column: Column): boolean {
  const { name, whole, present, values } = column;
  const count = values.size;
  return (
    whole === present &&
    count >= leastValues &&
    count <= mostValues &&
    present >= rowsOfValue * count &&
    !wordsIn(name).some((word) => timeWords.has(word)) &&
    !plainValuesOf(column).every((value) => Number(value) >= 1900 && Number(value) <= 2100)
  );
}

/** The words of a name such as `dayOfMonth` or `start_hours`, one of each. */
function wordsIn(name: string): readonly string[] {
  const words = name.replace(/([a-z])(?=[A-Z])/g, '$1 ').toLowerCase();
  return words.split(/[^a-z]+/).map((word) => word.replace(/(?<=..)s$/, ''));
}

function areCodes(seen: ReadonlyMap<number, Halves>, variance: number): boolean {
  const values = [...seen]
    .filter(([, { counts }]) => Math.min(...counts) >= rowsOfHalf)
    .sort(([a], [b]) => a - b)
    .map(([value, { counts, sums }]) => ({
      value,
      means: [sums[0] / counts[0], sums[1] / counts[1]] as const,
    }));
  const products = values.slice(1, -1).map((own, i) => {
    const [before, after] = [values[i], values[i + 2]];
    if (before === undefined || after === undefined) return 0;
    const share = (own.value - before.value) / (after.value - before.value);
    const [early, late] = ([0, 1] as const).map(
      (half) => own.means[half] - (1 - share) * before.means[half] - share * after.means[half],
    );
    return (early ?? 0) * (late ?? 0);
  });
  const alike = products.filter((product) => product > 0).length;
  const certainty = (2 * alike - products.length) / Math.sqrt(products.length);
  const median = products.toSorted((a, b) => a - b)[Math.floor(products.length / 2)] ?? 0;
  // Of a normal number's square .45 is the median, and what is expected of a value varies, too.
  return certainty >= leastCertainty && median / (0.45 * 1.5) > leastShare * variance;
}

/** The variance of numbers, about the first one. */
function createVariance() {
  let origin: number | undefined;
  let [count, sum, squares] = [0, 0, 0];
  return {
    /** @returns the first number */
    add(value: number): number {
      origin ??= value;
      count += 1;
      sum += value - origin;
      squares += (value - origin) ** 2;
      return origin;
    },
    variance: () => (count === 0 ? 0 : squares / count - (sum / count) ** 2),
  };
}
