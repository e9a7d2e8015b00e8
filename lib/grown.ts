/** The same values with room for `least` of them. */
export function grown<Values extends Int32Array | Uint8Array | Float64Array>(
  values: Values,
  least: number,
): Values {
  const Type = values.constructor as new (length: number) => Values;
  const longer = new Type(Math.max(least, 2 * values.length));
  longer.set(values);
  return longer;
}
