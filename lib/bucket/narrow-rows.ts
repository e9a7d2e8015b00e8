import {
  elementsOf,
  type Group,
  groupsOf,
  type Matrix,
  type Narrow,
  rowsOfBlock,
  type Type,
  types,
} from './narrow.ts';
import type { StoredArray } from './safetensors.ts';

/** A matrix of which some rows can be had. */
export type MatrixRows = {
  readonly width: number;
  /** Rows by their places, [places, columns]. */
  readonly rowsAt: (places: Int32Array) => Matrix;
};

/**
 * Undoes {@link narrowed}; undefined if what is said of the columns is not true of the arrays.
 *
 * @param arrays the columns of a type, row by row
 */
export function openNarrow(
  narrow: Narrow,
  arrays: (type: Type) => StoredArray | undefined,
  rows: number,
): MatrixRows | undefined {
  const width = narrow.columns.length;
  const most = rowsOfBlock(width);
  const readers: ((rows: Int32Array, block: Float64Array) => void)[] = [];
  for (const group of groupsOf(narrow)) {
    const { type, places } = group;
    const stored = arrays(type);
    if (!(stored instanceof types[type].of) || stored.length !== places.length * rows)
      return undefined;
    // (One of which all columns are kept as they are is a matrix row by row.)
    const isWhole = group.powers.every((power) => power === 1) && places.length === width;
    if (isWhole && type === narrow.elements) return openWhole(stored as Matrix, rows);
    readers.push(readerOf(group, readable(stored), width));
  }
  return {
    width,
    rowsAt(places) {
      const data = new types[narrow.elements].of(places.length * width);
      const block = new Float64Array(most * width);
      for (let start = 0; start < places.length; start += most) {
        const some = places.subarray(start, start + most);
        for (const read of readers) read(some, block);
        data.set(block.subarray(0, some.length * width), start * width);
      }
      return data;
    },
  };
}

/** A matrix that is kept row by row. */
export function openWhole(data: Matrix, rows: number): MatrixRows {
  const width = rows === 0 ? 0 : data.length / rows;
  return {
    width,
    rowsAt(places) {
      const some = new types[elementsOf(data)].of(places.length * width);
      places.forEach((place, to) => {
        some.set(data.subarray(place * width, (place + 1) * width), to * width);
      });
      return some;
    },
  };
}

type Readable = Float64Array | Float32Array | Int32Array | Int16Array;

/** An array of one of four types: a loop over more of them is several times slower. */
function readable(values: StoredArray): Readable {
  return values instanceof Uint8Array || values instanceof Int8Array
    ? new Int16Array(values)
    : values;
}

/**
 * What writes the columns of one type of some rows, at most those of a block, to their places in
 * it. (Rows are put together as they are kept and converted at once, and all that is worked out is
 * float64: loops over arrays of several types take several times as long.)
 */
function readerOf(
  { places, powers: divisors, nan }: Group,
  values: Readable,
  width: number,
): (rows: Int32Array, block: Float64Array) => void {
  const own = places.length;
  const hasNaN = !Number.isNaN(nan) && values.includes(nan);
  const kept = ofTypeOf(values, rowsOfBlock(width) * own);
  const numbers = new Float64Array(kept.length);
  return (rows, block) => {
    gather(values, rows, kept, own);
    numbers.set(kept);
    for (let row = 0, from = 0; row < rows.length; row++)
      for (let at = 0; at < own; at++)
        block[row * width + (places[at] ?? 0)] = (numbers[from++] ?? 0) / (divisors[at] ?? 1);
    if (!hasNaN) return;
    for (let row = 0, from = 0; row < rows.length; row++)
      for (let at = 0; at < own; at++)
        if (numbers[from++] === nan) block[row * width + (places[at] ?? 0)] = Number.NaN;
  };
}

function gather(values: Readable, rows: Int32Array, kept: Readable, width: number): void {
  for (let i = 0, to = 0; i < rows.length; i++) {
    const from = (rows[i] ?? 0) * width;
    for (let at = from; at < from + width; at++) kept[to++] = values[at] ?? 0;
  }
}

function ofTypeOf(values: Readable, length: number): Readable {
  if (values instanceof Int16Array) return new Int16Array(length);
  if (values instanceof Float32Array) return new Float32Array(length);
  return values instanceof Int32Array ? new Int32Array(length) : new Float64Array(length);
}
