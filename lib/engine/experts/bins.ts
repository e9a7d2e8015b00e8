/** Bins of a column at most, over many rows and over fewer than `manyRows`. */
const [mostBins, fewBins, manyRows] = [64, 32, 1_000];
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

/** @param columns the values of each, [rows], those of numbers first */
export function binned(columns: readonly Float32Array[], numbers: number): Bins {
  const rows = columns[0]?.length ?? 0;
  const bins = new Uint8Array(columns.length * rows);
  const cuts = columns.map((values, column) => {
    const own = bins.subarray(column * rows, (column + 1) * rows);
    return column < numbers ? binNumbers(values, own) : binCategories(values, own);
  });
  return { rows, numbers, bins, cuts };
}

function binNumbers(values: Float32Array, bins: Uint8Array): Float32Array {
  const sorted = values.slice().sort();
  const cuts = cutsOf(sorted);
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
function cutsOf(sorted: Float32Array): Float32Array {
  const places: number[] = [];
  for (let i = 1; i < sorted.length; i++) {
    const [below = 0, above = 0] = [sorted[i - 1], sorted[i]];
    if (above - below > sameWithin * Math.max(1, Math.abs(above))) places.push(i);
  }
  const most = sorted.length < manyRows ? fewBins : mostBins;
  if (places.length < most) return Float32Array.from(places, (place) => between(sorted, place));
  const cuts: number[] = [];
  let next = 0;
  for (let bin = 1; bin < most; bin++) {
    const wanted = (bin * sorted.length) / most;
    while (next < places.length && (places[next] ?? 0) < wanted) next++;
    if (next === places.length) break;
    cuts.push(between(sorted, places[next] ?? 0));
    next++;
  }
  return Float32Array.from(cuts);
}

/** What a value is above which that at a place is, and the one before is not. */
function between(sorted: Float32Array, place: number): number {
  const [below = 0, above = 0] = [sorted[place - 1], sorted[place]];
  const middle = Math.fround(below / 2 + above / 2);
  return middle < above ? middle : below;
}

function binCategories(values: Float32Array, bins: Uint8Array): Float32Array {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const frequent = [...counts]
    .sort(([a, ofA], [b, ofB]) => ofB - ofA || a - b)
    .slice(0, mostBins - 1)
    .map(([value]) => value);
  const places = new Map(frequent.map((value, i) => [value, i + 1]));
  values.forEach((value, row) => {
    bins[row] = places.get(value) ?? 0;
  });
  return Float32Array.from(frequent);
}
