const codes = { plus: 43, comma: 44, minus: 45, point: 46, zero: 48, nine: 57 } as const;

/** So many digits are exact in float64, and so is every power of ten up to that. */
const mostDigits = 15;
const powersOfTen = Float64Array.from({ length: mostDigits + 1 }, (_, i) => Number(`1e${i}`));

/**
 * The number that bytes of a text are, if it is written in a plain way: a sign, digits, a point,
 * digits. (Both that without its point, and the power of ten by which it is divided, are exact, so
 * the quotient is the number nearest to what is written; Clinger 1990.)
 *
 * @returns NaN if it is not, which does not say that the text is none
 */
export function plainNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  hasDecimalComma: boolean,
): number {
  let at = start;
  const sign = bytes[at];
  if (sign === codes.minus || sign === codes.plus) at += 1;
  let digits = 0;
  let whole = 0;
  let point = -1;
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= codes.zero && byte <= codes.nine) {
      whole = 10 * whole + byte - codes.zero;
      digits += 1;
    } else {
      const isPoint = byte === codes.point || (byte === codes.comma && hasDecimalComma);
      if (!isPoint || point >= 0 || digits === 0) return Number.NaN;
      point = digits;
    }
  }
  if (digits === 0 || digits > mostDigits || point === digits) return Number.NaN;
  const value = point < 0 ? whole : whole / (powersOfTen[digits - point] ?? 1);
  return sign === codes.minus ? -value : value;
}
