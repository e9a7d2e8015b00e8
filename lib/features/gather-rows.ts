/** Numbers of four or eight bytes. */
type Words = Float32Array | Float64Array | Int32Array;

/**
 * Copies the rows of a matrix at some places into another, one behind the other. (As integers: a
 * loop over arrays of one type alone is several times as fast.)
 */
export function gatherRows(from: Words, into: Words, rows: ArrayLike<number>, width: number): void {
  const own = from.constructor === into.constructor ? from : convertedTo(into, from);
  copyRuns(wordsOf(own), wordsOf(into), rows, (width * into.BYTES_PER_ELEMENT) / wordBytes);
}

/** The same numbers in an array of another one's type. */
function convertedTo(like: Words, numbers: Words): Words {
  if (like instanceof Int32Array) return Int32Array.from(numbers);
  return like instanceof Float32Array ? Float32Array.from(numbers) : Float64Array.from(numbers);
}

const wordBytes = Int32Array.BYTES_PER_ELEMENT;

/** The same memory as integers. */
function wordsOf({ buffer, byteOffset, byteLength }: Words): Int32Array {
  return new Int32Array(buffer, byteOffset, byteLength / wordBytes);
}

/** From so many integers on, the call that copies them costs less than a loop. */
const wideRun = 64;

/** Copies rows; neighbours at once. */
function copyRuns(
  from: Int32Array,
  into: Int32Array,
  rows: ArrayLike<number>,
  width: number,
): void {
  for (let i = 0; i < rows.length; ) {
    const first = rows[i] ?? 0;
    let count = 1;
    while (i + count < rows.length && rows[i + count] === first + count) count += 1;
    const start = first * width;
    const length = count * width;
    if (length >= wideRun) into.set(from.subarray(start, start + length), i * width);
    else for (let at = 0; at < length; at++) into[i * width + at] = from[start + at] ?? 0;
    i += count;
  }
}
