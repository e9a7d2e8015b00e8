/** How columns are told apart. */
type Cutting = {
  /** Bins of a column at most, over many rows and over fewer than {@link manyRows}. */
  readonly most: number;
  readonly few: number;
  /** How far a cut lies from the greater of two values to the smaller one. */
  readonly place: number;
  /** Whether values that hardly vary are as far apart as those that do. */
  readonly isOfAnyUnit: boolean;
};

/** Of whole numbers, others lie half-way: a cut is where hardly a value will ever be. */
const fineCutting: Cutting = { most: 255, few: 64, place: 0.4743416, isOfAnyUnit: true };
/** Of specs before revision 22. */
const earlierCutting: Cutting = { most: 64, few: 32, place: 0.5, isOfAnyUnit: false };

const manyRows = 1_000;
/** Values that are no further apart, in deviations or parts of themselves, are the same. */
const sameWithin = 1e-5;

/** Columns of rows, whose values are told apart as far as their bins are. */
export type Bins = {
  readonly rows: number;
  /** How many of the columns are numbers, which come first; the others are categories. */
  readonly numbers: number;
  /** How many cuts a number is above, or which cut a category is, from 1; [columns, rows]. */
  readonly bins: Uint8Array;
  /** Of a number what is between two bins, in order; of a category its most frequent values. */
  readonly cuts: readonly Float32Array[];
};

/**
 * @param columns the values of each, [rows], those of numbers first
 * @param isFine whether by the rules of revision 22 of specs
 */
export function binned(columns: readonly Float32Array[], numbers: number, isFine: boolean): Bins {
  const cutting = isFine ? fineCutting : earlierCutting;
  const rows = columns[0]?.length ?? 0;
  const bins = new Uint8Array(columns.length * rows);
  const cuts = columns.map((values, column) => {
    const own = bins.subarray(column * rows, (column + 1) * rows);
    return column < numbers
      ? binNumbers(values, own, cutting)
      : binCategories(values, own, cutting);
  });
  return { rows, numbers, bins, cuts };
}

function binNumbers(values: Float32Array, bins: Uint8Array, cutting: Cutting): Float32Array {
  const sorted = values.slice().sort();
  const cuts = cutsOf(sorted, cutting);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    let [low, high] = [0, cuts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value > (cuts[middle] ?? 0)) low = middle + 1;
      else high = middle;
    }
    bins[row] = low;
  }
  return cuts;
}

/** Between all values where they are few, else between as many each. */
function cutsOf(sorted: Float32Array, { most, few, place, isOfAnyUnit }: Cutting): Float32Array {
  const places: number[] = [];
  const unit = isOfAnyUnit ? Math.min(1, spreadOf(sorted)) : 1;
  for (let i = 1; i < sorted.length; i++) {
    const [below = 0, above = 0] = [sorted[i - 1], sorted[i]];
    if (above - below > sameWithin * Math.max(unit, Math.abs(above))) places.push(i);
  }
  const between = (at: number) => cutAt(sorted, at, place);
  const bins = sorted.length < manyRows ? few : most;
  if (places.length < bins) return Float32Array.from(places, between);
  const cuts: number[] = [];
  let next = 0;
  for (let bin = 1; bin < bins; bin++) {
    const wanted = (bin * sorted.length) / bins;
    while (next < places.length && (places[next] ?? 0) < wanted) next++;
    if (next === places.length) break;
    cuts.push(between(places[next] ?? 0));
    next++;
  }
  return Float32Array.from(cuts);
}

/** How far apart most values are, or all, if most are the same. */
function spreadOf(sorted: Float32Array): number {
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return at(0.9) - at(0.1) || at(1) - at(0);
}

/** What a value is above which that at a place is, and the one before is not. */
function cutAt(sorted: Float32Array, at: number, place: number): number {
  const [below = 0, above = 0] = [sorted[at - 1], sorted[at]];
  const cut = Math.fround(below * place + above * (1 - place));
  return cut < above ? cut : below;
}

function binCategories(values: Float32Array, bins: Uint8Array, { most }: Cutting): Float32Array {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const frequent = [...counts]
    .sort(([a, ofA], [b, ofB]) => ofB - ofA || a - b)
    .slice(0, most - 1)
    .map(([value]) => value);
  const places = new Map(frequent.map((value, i) => [value, i + 1]));
  values.forEach((value, row) => {
    bins[row] = places.get(value) ?? 0;
  });
  return Float32Array.from(frequent);
}
