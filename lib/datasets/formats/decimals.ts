/**
 * A number of so many decimals, or lists of such, that were made by multiplying with a power of
 * ten: the ones that are written so.
 */
export function rounded(value: unknown, decimals: number): unknown {
  if (Array.isArray(value)) return value.map((each) => rounded(each, decimals));
  return typeof value === 'number' && decimals >= 0 ? Number(value.toFixed(decimals)) : value;
}
