/** What decides which pixels a window covers; two numbers are of height and width. */
type Sliding = {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** [top, left, …] */
  readonly pads: readonly number[];
};

/**
 * How many pixels of images of some height and width each window covers, [rows, columns]: fewer at
 * padded borders.
 *
 * @param output the rows and columns of windows
 */
export function coveredPixels(
  { kernel, strides, dilations, pads }: Sliding,
  images: readonly [height: number, width: number],
  output: readonly [rows: number, columns: number],
): Float32Array {
  const along = (axis: 0 | 1) =>
    Array.from({ length: output[axis] }, (_, place) => {
      const first = place * (strides[axis] ?? 1) - (pads[axis] ?? 0);
      const pixels = Array.from(
        { length: kernel[axis] ?? 1 },
        (__, i) => first + i * (dilations[axis] ?? 1),
      );
      return pixels.filter((pixel) => pixel >= 0 && pixel < images[axis]).length;
    });
  const columns = along(1);
  return Float32Array.from(along(0).flatMap((row) => columns.map((column) => row * column)));
}
