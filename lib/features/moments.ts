import { decayOf, wholePower } from '../arithmetic.ts';

/** Running mean and sum of squared deviations of some columns; float64. */
export type Moments = {
  /** How many samples they stand for: all, or what a half-life leaves of them. */
  readonly count: number;
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

/** The moments of `rows` samples alone (Welford 1962); the last one counts most if they forget. */
export function momentsOf(
  rows: number,
  columns: number,
  valueAt: (row: number, column: number) => number,
  halfLife?: number,
): Moments {
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  const decay = halfLife === undefined ? 1 : decayOf(halfLife);
  let count = 0;
  for (let row = 0; row < rows; row++) {
    count = count * decay + 1;
    for (let column = 0; column < columns; column++) {
      const value = valueAt(row, column);
      const deviation = value - (mean[column] ?? 0);
      mean[column] = (mean[column] ?? 0) + deviation / count;
      const before = (squares[column] ?? 0) * decay;
      squares[column] = before + deviation * (value - (mean[column] ?? 0));
    }
  }
  return { count, mean, squares };
}

/** The moments of both sets of samples together (Chan, Golub, LeVeque 1979). */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = a.mean.map((mean, column) => (b.mean[column] ?? 0) - mean);
  return {
    count,
    mean: a.mean.map((mean, column) => mean + ((delta[column] ?? 0) * b.count) / count),
    squares: a.squares.map(
      (squares, column) =>
        squares +
        (b.squares[column] ?? 0) +
        ((delta[column] ?? 0) ** 2 * a.count * b.count) / count,
    ),
  };
}

/** What is left of moments after `rows` more samples. */
export function decayed({ halfLife, ...own }: ForgettingMoments, rows: number): Moments {
  const left = wholePower(decayOf(halfLife), rows);
  return {
    count: own.count * left,
    mean: own.mean,
    squares: own.squares.map((square) => square * left),
  };
}

/** What takes a column to mean 0 and variance 1: (value − mean) · scale; 0 of a constant. */
export function scaleOf({ count, squares }: Moments, column: number, ofConstant = 0): number {
  const variance = (squares[column] ?? 0) / Math.max(count, 1);
  return variance > 0 ? 1 / Math.sqrt(variance) : ofConstant;
}
