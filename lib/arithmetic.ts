/**
 * Functions that Node's own `Math` answers with other bits on other processors (`Math.exp` differs
 * between x86-64 and arm64). These are made of IEEE 754's basic operations alone: the same bits
 * everywhere. What a fold depends on uses them.
 */

/** ln 2 in two parts, the first with so few bits that a whole number times it is exact. */
const [ln2High, ln2Low] = [0.6931471803691238, 1.9082149292705877e-10];

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

/** 2ⁿ of a whole number from −1022 to 1023. */
function powerOfTwo(n: number): number {
  words[0] = 0;
  words[1] = (n + 1_023) << 20;
  return float[0] ?? 0;
}

/** The sum of `terms` of a series in `x`, whose coefficients follow from one another. */
function series(x: number, terms: number, divisor: (term: number) => number): number {
  let sum = 1;
  for (let term = terms; term >= 1; term--) sum = 1 + (x * sum) / divisor(term);
  return sum;
}

/** eˣ, within 2 ulp; 0 below −708, and ∞ above 709. */
export function exponential(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < -708) return 0;
  if (x > 709) return Number.POSITIVE_INFINITY;
  const n = Math.round(x / Math.LN2);
  const rest = x - n * ln2High - n * ln2Low;
  const power = series(rest, 14, (term) => term);
  return n > 1_000 ? power * powerOfTwo(n - 1) * 2 : power * powerOfTwo(n);
}

/** ln x of a positive number that is not denormal, within 2 ulp: ln m + n ln 2 with √½ < m ≤ √2. */
export function logarithm(x: number): number {
  float[0] = x;
  const exponent = ((words[1] ?? 0) >>> 20) - 1_023;
  words[1] = ((words[1] ?? 0) & 0xfffff) | (1_023 << 20);
  const fraction = float[0] ?? 1;
  const isHigh = fraction > Math.SQRT2;
  const [m, n] = isHigh ? [fraction / 2, exponent + 1] : [fraction, exponent];
  const t = (m - 1) / (m + 1);
  let sum = 0;
  for (let power = 21; power >= 1; power -= 2) sum = 1 / power + t * t * sum;
  return n * ln2High + (n * ln2Low + 2 * t * sum);
}

/** cos πx of x from 0 to 1, within 2 ulp of 1. */
export function cosineOfPi(x: number): number {
  if (x > 0.5) return -cosineOfPi(1 - x);
  const angle = Math.PI * (x > 0.25 ? 0.5 - x : x);
  const minusSquare = -(angle * angle);
  return x > 0.25
    ? angle * series(minusSquare, 9, (term) => 2 * term * (2 * term + 1))
    : series(minusSquare, 9, (term) => 2 * term * (2 * term - 1));
}

/** What is left of one after one sample of a half-life: 2^(−1 / halfLife). */
export function decayOf(halfLife: number): number {
  return exponential(-Math.LN2 / halfLife);
}

/** `base` to the power of a whole number, by squaring. */
export function wholePower(base: number, exponent: number): number {
  let result = 1;
  for (let rest = exponent, square = base; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

/** The probability of true that log-odds stand for. */
export function sigmoid(logit: number): number {
  return 1 / (1 + exponential(-logit));
}

/** Logits of classes become their probabilities, in place; −∞ becomes 0. */
export function softmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b));
  let total = 0;
  logits.forEach((logit, at) => {
    const power = exponential(logit - most);
    logits[at] = power;
    total += power;
  });
  logits.forEach((power, at) => {
    logits[at] = power / total;
  });
  return logits;
}

/** The sums of two arrays of one length, the first times `factor`. */
export function addArrays(a: Float64Array, b: Float64Array, factor = 1): Float64Array {
  const sums = a.slice();
  for (let i = 0; i < sums.length; i++) sums[i] = factor * (sums[i] ?? 0) + (b[i] ?? 0);
  return sums;
}

/** A column of rows of so many values each. */
export function columnOf(
  values: Float32Array | Float64Array,
  width: number,
  column: number,
): Float32Array | Float64Array {
  if (width === 1) return values;
  return Float64Array.from({ length: values.length / width }, (_, row) => {
    return values[row * width + column] ?? 0;
  });
}

/** The mean of each row of so many values; of one, the values themselves. */
export function meansOfRows(values: Float64Array, width: number): Float64Array {
  if (width === 1) return values;
  const means = new Float64Array(values.length / width);
  values.forEach((value, i) => {
    const row = Math.floor(i / width);
    means[row] = (means[row] ?? 0) + value / width;
  });
  return means;
}

/** The greatest number that float32 has. */
export const greatestFloat32 = (2 - 2 ** -23) * 2 ** 127;
