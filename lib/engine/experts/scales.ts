/** Numbers that say how a column or an output is scaled. */
export const scaleWidth = 4;

/** How a column of numbers, or an output, is standardised. */
export type Scale = {
  readonly mean: number;
  /** What the distance from that is times, or divided by: a scale, or a deviation. */
  readonly scale: number;
};

/** Says how one is standardised: the mean and what float32 leaves of it, and the scale alike. */
export function writeScale(scales: Float32Array, at: number, { mean, scale }: Scale): void {
  const own = [mean, mean - Math.fround(mean), scale, scale - Math.fround(scale)];
  scales.set(own, scaleWidth * at);
}

/** How one is standardised; its scale is 0 where that is not known. */
export function readScale(scales: Float32Array, at: number): Scale {
  const own = scales.subarray(scaleWidth * at, scaleWidth * (at + 1));
  const [high = 0, low = 0, large = 0, small = 0] = own;
  return { mean: high + low, scale: large + small };
}
