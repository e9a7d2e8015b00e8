const codes = { plus: 43, comma: 44, minus: 45, point: 46, zero: 48, nine: 57, e: 101 } as const;

/** So many digits are exact in float64; and so are powers of ten, up to the greatest. */
const exactDigits = 15;
const mostDigits = 19;
/** So many fit into an integer of 32 bits. */
const fewDigits = 9;
const greatestPower = 22;
const powersOfTen = Float64Array.from({ length: greatestPower + 1 }, (_, i) => Number(`1e${i}`));
/** Exponents of more digits are those of no number that can be learnt. */
const mostExponent = 400;

/**
 * The number that bytes of a text are, if it is written in a plain way: a sign, digits, a point,
 * digits, an exponent. It is the one nearest to what is written: of fifteen digits the power of ten
 * by which they are multiplied or divided is exact too, and there is one rounding (Clinger 1990);
 * of up to nineteen, what the rounding missed is made up for.
 *
 * @returns NaN if it is not, or is not told so, which does not say that the text is none
 */
export function plainNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  hasDecimalComma: boolean,
): number {
  const short = shortNumber(bytes, start, end);
  if (short >= 0) return short;
  let at = start;
  const sign = bytes[at];
  if (sign === codes.minus || sign === codes.plus) at += 1;
  let [digits, significant, whole, rest] = [0, 0, 0, 0];
  let point = -1;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= codes.zero && byte <= codes.nine) {
      const digit = byte - codes.zero;
      digits += 1;
      if (significant > 0 || digit > 0) significant += 1;
      if (significant <= exactDigits) whole = 10 * whole + digit;
      else rest = 10 * rest + digit;
    } else if ((byte | 32) === codes.e && digits > 0) break;
    else {
      const isPoint = byte === codes.point || (byte === codes.comma && hasDecimalComma);
      if (!isPoint || point >= 0 || digits === 0) return Number.NaN;
      point = digits;
    }
  }
  if (digits === 0 || significant > mostDigits || point === digits) return Number.NaN;
  const exponent = at < end ? exponentOf(bytes, at + 1, end) : 0;
  const power = exponent - (point < 0 ? 0 : digits - point);
  const size =
    significant <= exactDigits
      ? timesPower(whole, power)
      : longNumber(whole, rest, significant - exactDigits, power);
  return sign === codes.minus ? -size : size;
}

/** The number that a few digits are, which most cells hold; −1 if they are others. */
function shortNumber(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > fewDigits) return -1;
  let whole = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - codes.zero;
    if (digit < 0 || digit > 9) return -1;
    whole = 10 * whole + digit;
  }
  return whole;
}

/** An exponent, up to its end; NaN if it is none. */
function exponentOf(bytes: Uint8Array, start: number, end: number): number {
  const sign = bytes[start];
  let at = sign === codes.minus || sign === codes.plus ? start + 1 : start;
  if (at >= end) return Number.NaN;
  let exponent = 0;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < codes.zero || byte > codes.nine || exponent > mostExponent) return Number.NaN;
    exponent = 10 * exponent + byte - codes.zero;
  }
  return sign === codes.minus ? -exponent : exponent;
}

/** An exact number times a power of ten, if that is exact. */
function timesPower(whole: number, power: number): number {
  if (Number.isNaN(power)) return power;
  if (whole === 0) return 0;
  if (power < 0) return whole / (powersOfTen[-power] ?? Number.NaN);
  return whole * (powersOfTen[power] ?? Number.NaN);
}

/** How far what was computed may be from what it stands for, as a share of it. */
const doubt = 1e-12;

/**
 * A number of fifteen digits and `few` more behind them, divided by a power of ten: the quotient of
 * what float64 has of it, and the quotient of all that this missed, which is less than two units in
 * the last place. NaN where it lies so near to the middle between two numbers that it might be
 * either.
 */
function longNumber(whole: number, rest: number, few: number, power: number): number {
  const divisor = powersOfTen[-power];
  const shift = powersOfTen[few];
  if (divisor === undefined || shift === undefined) return Number.NaN;
  const product = whole * shift;
  const behind = missedBy(product, whole, shift) + rest;
  const high = product + behind;
  const low = product - high + behind;
  const quotient = high / divisor;
  const times = quotient * divisor;
  const missed = (high - times - missedBy(times, quotient, divisor) + low) / divisor;
  const [least, greatest] = [quotient + missed * (1 - doubt), quotient + missed * (1 + doubt)];
  return least === greatest ? least : Number.NaN;
}

/** What a product was rounded by: a · b − product, exactly (Dekker 1971). */
function missedBy(product: number, a: number, b: number): number {
  const [highA, highB] = [highHalf(a), highHalf(b)];
  const [lowA, lowB] = [a - highA, b - highB];
  return highA * highB - product + highA * lowB + lowA * highB + lowA * lowB;
}

/** The first 26 bits of a number (Veltkamp 1968). */
function highHalf(number: number): number {
  const large = 134_217_729 * number;
  return large - (large - number);
}
