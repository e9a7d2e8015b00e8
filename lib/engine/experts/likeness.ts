import { wholePower } from '../../arithmetic.ts';

/** Exponents of 2 below which a Gaussian is taken for 0. */
const farthest = 80;
/** 2⁰, 2⁻¹, … */
const halves = Float64Array.from({ length: farthest + 2 }, (_, i) => wholePower(0.5, i));
/** Of the series of 2ˣ, whose terms are within 10⁻⁸ where x is at most one half. */
const [c1 = 0, c2 = 0, c3 = 0, c4 = 0, c5 = 0, c6 = 0, c7 = 0] = termsOfPower(7);

function termsOfPower(count: number): number[] {
  const terms: number[] = [];
  for (let k = 1; k <= count; k++) terms.push(((terms.at(-1) ?? 1) * Math.LN2) / k);
  return terms;
}

/** Places one after another, up to `end`. */
export type Range = { readonly start: number; readonly end: number };

/** Points that are kept column by column, and how much each column counts in a distance. */
export type Points = {
  /** [columns, size] */
  readonly values: Float32Array;
  readonly size: number;
  readonly columns: Float64Array;
};

/**
 * Squared distances of a point from others, those of some ranges one after another.
 *
 * @param point [columns]
 * @param into [points of the ranges]
 */
export function squaredDistances(
  point: Float32Array,
  points: Points,
  ranges: readonly Range[],
  into: Float64Array,
): void {
  into.fill(0);
  let at = 0;
  for (const range of ranges) {
    const own = into.subarray(at, at + range.end - range.start);
    let column = 0;
    for (; column + 3 < point.length; column += 4)
      addFourColumns(point, points, { column, start: range.start }, own);
    for (; column < point.length; column++)
      addColumn(point, points, { column, start: range.start }, own);
    at += own.length;
  }
}

type Place = { readonly column: number; readonly start: number };

function addColumn(
  point: Float32Array,
  { values, size, columns }: Points,
  { column, start }: Place,
  into: Float64Array,
): void {
  const [own, share] = [point[column] ?? 0, columns[column] ?? 0];
  const at = column * size + start;
  for (let i = 0; i < into.length; i++) {
    const way = (values[at + i] ?? 0) - own;
    into[i] = (into[i] ?? 0) + share * way * way;
  }
}

/** (A sum is read and written once for four: half of the time.) */
function addFourColumns(
  point: Float32Array,
  { values, size, columns }: Points,
  { column, start }: Place,
  into: Float64Array,
): void {
  const [a = 0, b = 0, c = 0, d = 0] = point.subarray(column, column + 4);
  const [ofA = 0, ofB = 0, ofC = 0, ofD = 0] = columns.subarray(column, column + 4);
  const at = column * size + start;
  for (let i = 0; i < into.length; i++) {
    const toA = (values[at + i] ?? 0) - a;
    const toB = (values[at + i + size] ?? 0) - b;
    const toC = (values[at + i + 2 * size] ?? 0) - c;
    const toD = (values[at + i + 3 * size] ?? 0) - d;
    into[i] =
      (into[i] ?? 0) + ofA * toA * toA + ofB * toB * toB + ofC * toC * toC + ofD * toD * toD;
  }
}

/**
 * Gaussians of distances, of which the nearest has a 1: e to the power of what it is nearer, within
 * 10⁻⁷ of themselves.
 *
 * @param distances squared
 * @param factor what they are times in the exponent
 * @param into [distances]
 */
export function gaussians(distances: Float64Array, factor: number, into: Float64Array): void {
  let nearest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < distances.length; i++) {
    const distance = distances[i] ?? 0;
    if (distance < nearest) nearest = distance;
  }
  const halvings = factor / Math.LN2;
  for (let i = 0; i < distances.length; i++) {
    const exponent = ((distances[i] ?? 0) - nearest) * halvings;
    into[i] = exponent < farthest ? powerOfHalf(exponent) : 0;
  }
}

/** e⁻ˣ of a number of at least 0, within 10⁻⁷ of itself; 0 where it is less than 2⁻⁸⁰. */
export function powerOfMinus(x: number): number {
  const exponent = x / Math.LN2;
  return exponent < farthest ? powerOfHalf(exponent) : 0;
}

/** 2⁻ˣ, of a number from 0 to {@link farthest}. */
function powerOfHalf(exponent: number): number {
  const whole = Math.floor(exponent + 0.5);
  const x = whole - exponent;
  const power = 1 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * (c5 + x * (c6 + x * c7))))));
  return power * (halves[whole] ?? 0);
}
