import { decayOf, wholePower } from '../arithmetic.ts';

/** Running mean and sum of squared deviations of some columns; float64. */
export type Moments = {
  /** How many samples they stand for: all, or what a half-life leaves of them. */
  readonly count: number;
  /** [columns]: how many of these had a value; all unless given. */
  readonly counts?: Float64Array;
  /** [columns] */
  readonly mean: Float64Array;
  /** [columns]: Σ (x − mean)² */
  readonly squares: Float64Array;
};

/** Moments in which a sample counts half after `halfLife` others. */
export type ForgettingMoments = Moments & { readonly halfLife: number };

/** The moments of no samples. */
export function emptyMoments(columns: number): Moments {
  return { count: 0, mean: new Float64Array(columns), squares: new Float64Array(columns) };
}

/** The columns of some samples. */
export type Values = {
  readonly rows: number;
  readonly columns: number;
  readonly valueAt: (row: number, column: number) => number;
  /** Whether NaN stands for a value that is not known, and is not counted. */
  readonly hasGaps?: boolean;
};

/** The moments of some samples alone (Welford 1962); the last one counts most if they forget. */
export function momentsOf(
  { rows, columns, valueAt, hasGaps = false }: Values,
  halfLife?: number,
): Moments {
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  const counts = hasGaps ? new Float64Array(columns) : undefined;
  const decay = halfLife === undefined ? 1 : decayOf(halfLife);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    count = count * decay + 1;
    for (let column = 0; column < columns; column++) {
      const value = valueAt(row, column);
      let own = count;
      if (counts) {
        if (Number.isNaN(value)) continue;
        own = (counts[column] ?? 0) * decay + 1;
        counts[column] = own;
      }
      const deviation = value - (mean[column] ?? 0);
      mean[column] = (mean[column] ?? 0) + deviation / own;
      const before = (squares[column] ?? 0) * decay;
      squares[column] = before + deviation * (value - (mean[column] ?? 0));
    }
  }
  return { count, ...(counts && { counts }), mean, squares };
}

/** How many samples had a value in a column. */
export function countOf({ count, counts }: Moments, column: number): number {
  return counts?.[column] ?? count;
}

/** The mean squared deviation of a column; 0 before its first value. */
export function varianceOf(moments: Moments, column: number): number {
  return (moments.squares[column] ?? 0) / Math.max(countOf(moments, column), 1);
}

/** The moments of both sets of samples together (Chan, Golub, LeVeque 1979). */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (b.count === 0) return a;
  // (What forgets all other samples still knows a column that none of them had.)
  if (a.count === 0 && a.counts === undefined) return b;
  const { length } = a.mean;
  const [mean, squares] = [new Float64Array(length), new Float64Array(length)];
  const counts = a.counts || b.counts ? new Float64Array(length) : undefined;
  for (let column = 0; column < length; column++) {
    const [before, after] = [countOf(a, column), countOf(b, column)];
    const both = before + after;
    if (counts) counts[column] = both;
    const [own = 0, other = 0] = [a.mean[column], b.mean[column]];
    const delta = other - own;
    if (before === 0 || after === 0) mean[column] = before === 0 ? other : own;
    else mean[column] = own + (delta * after) / both;
    const between = both === 0 ? 0 : (delta ** 2 * before * after) / both;
    squares[column] = (a.squares[column] ?? 0) + (b.squares[column] ?? 0) + between;
  }
  return { count: a.count + b.count, ...(counts && { counts }), mean, squares };
}

/** What is left of moments once others have come, each of which is of whole samples. */
export function decayed({ halfLife, ...own }: ForgettingMoments, later: Moments): Moments {
  const decay = decayOf(halfLife);
  const left = wholePower(decay, later.count);
  const leftOf = (column: number) => {
    const came = countOf(later, column);
    return came === later.count ? left : wholePower(decay, came);
  };
  const { count, counts, mean, squares } = own;
  return {
    count: count * left,
    ...(counts && { counts: counts.map((each, column) => each * leftOf(column)) }),
    mean,
    squares: squares.map((each, column) => each * leftOf(column)),
  };
}

/** What of a number may be of rounding: some steps of float64, which has 2⁻⁵² of each. */
const roundedShare = 2 ** -50;

/**
 * The deviation of a column; 0 where it is no more than what rounding leaves: 0.1 + 0.2 is not 0.3,
 * nor are the cosines of Thursday and Friday the same, and what comes next is far from both.
 *
 * @param size of the column's numbers, where their mean may be less
 */
export function deviationOf(moments: Moments, column: number, size = 0): number {
  const deviation = Math.sqrt(varianceOf(moments, column));
  const usual = Math.max(Math.abs(moments.mean[column] ?? 0), size);
  return deviation > usual * roundedShare ? deviation : 0;
}

/** What takes a column to mean 0 and variance 1: (value − mean) · scale; 0 of a constant. */
export function scaleOf(moments: Moments, column: number, ofConstant = 0): number {
  const variance = varianceOf(moments, column);
  return variance > 0 ? 1 / Math.sqrt(variance) : ofConstant;
}
