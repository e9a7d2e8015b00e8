import * as z from 'zod';
import type { StoredTensor } from './safetensors.ts';

/** A matrix row by row. */
export type Matrix = Float64Array | Float32Array | Int32Array;

/** The types that a column may be kept in, narrowest first; `nan` stands for NaN in whole numbers. */
export const types = {
  U8: { of: Uint8Array, least: 0, most: 0xff, nan: undefined },
  I8: { of: Int8Array, least: -0x7f, most: 0x7f, nan: -0x80 },
  I16: { of: Int16Array, least: -0x7fff, most: 0x7fff, nan: -0x8000 },
  I32: { of: Int32Array, least: -0x7fffffff, most: 0x7fffffff, nan: -0x80000000 },
  F32: { of: Float32Array },
  F64: { of: Float64Array },
} as const;
/** A type that a column may be kept in. */
export type Type = keyof typeof types;
const wholeTypes = ['U8', 'I8', 'I16', 'I32'] as const;

/**
 * How a matrix is kept: what its elements are, and in which type each of its columns. `decimals` is
 * there where the values are whole numbers of their last decimal.
 */
export const narrowSchema = z.strictObject({
  elements: z.enum(['I32', 'F32', 'F64']),
  columns: z
    .array(
      z.strictObject({
        type: z.enum([...wholeTypes, 'F32', 'F64']),
        decimals: z.int().min(0).max(6).optional(),
      }),
    )
    .readonly(),
});
/** See {@link narrowSchema}. */
export type Narrow = Readonly<z.output<typeof narrowSchema>>;
type Column = Narrow['columns'][number];

/** The columns of a matrix by the type they are kept in, [rows, columns of the type]. */
export type NarrowTensors = Readonly<Partial<Record<Type, StoredTensor>>>;

/** Ten to the decimals that are looked for. */
const powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const;

/**
 * A matrix with each column in the narrowest type that keeps its values bit by bit. Most columns of
 * a table are whole numbers or have a few decimals: as whole numbers of their last decimal
 * (Afroozeh, Kuffo and Boncz 2023, "ALP: Adaptive Lossless floating-Point Compression") they take
 * one to four bytes, where float64 takes eight. Each NaN is as good as another.
 *
 * @param data [rows, columns]
 */
export function narrowed(
  data: Matrix,
  rows: number,
): { readonly narrow: Narrow; readonly tensors: NarrowTensors } {
  const width = rows === 0 ? 0 : data.length / rows;
  const found = Array.from({ length: width }, nothingYet);
  const isRounded = data instanceof Float32Array;
  const most = rowsOfBlock(width);
  const values = new Float64Array(most);
  eachBlock(data, width, (block, count) => {
    found.forEach((column, at) => {
      const whole = lookAtWhole(column, block.subarray(at, count * width), width);
      for (let i = whole, from = at + i * width; i < count; i++, from += width)
        values[i] = block[from] ?? 0;
      look(column, values.subarray(whole, count), isRounded);
    });
  });
  const narrow: Narrow = {
    elements: elementsOf(data),
    columns: found.map((each) => columnOf(each, data)),
  };
  const groups = groupsOf(narrow).map((group) => {
    const { type, places } = group;
    const hasNaN = places.some((at) => found[at]?.hasNaN);
    const pick = pickerOf(group, { width, most, hasNaN });
    return { type, places, pick, stored: new types[type].of(places.length * rows) };
  });
  eachBlock(data, width, (block, count, start) => {
    for (const { places, pick, stored } of groups)
      stored.set(pick(block).subarray(0, count * places.length), start * places.length);
  });
  const tensors = groups.map(({ type, places, stored }): [Type, StoredTensor] => [
    type,
    { shape: [rows, places.length], data: stored },
  ]);
  return { narrow, tensors: Object.fromEntries(tensors) };
}

/** The columns of one type. */
export type Group = {
  readonly type: Type;
  readonly places: Int32Array;
  /** What their values were multiplied with. */
  readonly powers: Float64Array;
  /** What stands for NaN in it; NaN where that is itself. */
  readonly nan: number;
};

/** The columns of a matrix by their types. */
export function groupsOf({ elements, columns }: Narrow): readonly Group[] {
  return [...wholeTypes, 'F32' as const, 'F64' as const].flatMap((type) => {
    const places = columns.flatMap((column, at) => (column.type === type ? [at] : []));
    if (places.length === 0) return [];
    const kept = types[type];
    return [
      {
        type,
        places: Int32Array.from(places),
        powers: Float64Array.from(places, (at) => powers[columns[at]?.decimals ?? 0] ?? 1),
        nan: ('nan' in kept && elements !== 'I32' ? kept.nan : undefined) ?? Number.NaN,
      },
    ];
  });
}

/** As many rows at a time as a processor's second cache holds. */
export function rowsOfBlock(width: number): number {
  return Math.max(16, Math.min(1_024, Math.floor(32_768 / width)));
}

/** Calls with some rows of a matrix after the other: how many they are, and where they begin. */
function eachBlock(
  data: Matrix,
  width: number,
  call: (block: Float64Array, count: number, start: number) => void,
): void {
  const rows = data.length / width;
  const most = rowsOfBlock(width);
  const block = new Float64Array(most * width);
  for (let start = 0; start < rows; start += most) {
    const count = Math.min(most, rows - start);
    block.set(data.subarray(start * width, (start + count) * width));
    call(block, count, start);
  }
}

function canonical(value: number): number {
  return Number.isNaN(value) ? Number.NaN : value;
}

/**
 * What picks the columns of a group out of some rows, as they are kept. (Each has a loop of its
 * own: over arrays of two types it takes several times as long; and integers are made narrower at
 * once much faster than float64.)
 */
function pickerOf(
  { type, places, powers: factors, nan }: Group,
  { width, most, hasNaN }: { width: number; most: number; hasNaN: boolean },
): (rows: Float64Array) => Float64Array | Int32Array {
  const own = places.length;
  if (type === 'F32' || type === 'F64') {
    const floats = new Float64Array(most * own);
    return (rows) => {
      places.forEach((place, at) => {
        for (let from = place, to = at; to < floats.length; from += width, to += own)
          // (A NaN with other bits, which are as good, would have another digest.)
          floats[to] = canonical(rows[from] ?? 0);
      });
      return floats;
    };
  }
  const whole = new Int32Array(most * own);
  if (!hasNaN && factors.every((factor) => factor === 1))
    return (rows) => {
      places.forEach((place, at) => {
        for (let from = place, to = at; to < whole.length; from += width, to += own)
          whole[to] = rows[from] ?? 0;
      });
      return whole;
    };
  return (rows) => {
    places.forEach((place, at) => {
      const factor = factors[at] ?? 1;
      for (let from = place, to = at; to < whole.length; from += width, to += own) {
        const value = rows[from] ?? 0;
        whole[to] = Number.isNaN(value) ? nan : Math.round(value * factor);
      }
    });
    return whole;
  };
}

/** What the values of a column are, as far as they were looked at. */
type Found = {
  /** Whether they are whole numbers of a decimal, of which `decimals` is enough. */
  isWhole: boolean;
  decimals: number;
  least: number;
  most: number;
  hasNaN: boolean;
  isFloat32: boolean;
};

function nothingYet(): Found {
  return { isWhole: true, decimals: 0, least: 0, most: 0, hasNaN: false, isFloat32: true };
}

/**
 * Looks at further values of a column, each `step` elements behind the one before, up to the first
 * that is no whole number of 32 bits: most columns have no such.
 *
 * @returns how many were looked at
 */
function lookAtWhole(found: Found, values: Float64Array, step: number): number {
  if (!found.isWhole || found.decimals > 0) return 0;
  let { least, most, isFloat32 } = found;
  let count = 0;
  for (let at = 0; at < values.length; at += step) {
    const value = values[at] ?? 0;
    if ((value | 0) !== value || Object.is(value, -0)) break;
    if (Math.fround(value) !== value) isFloat32 = false;
    if (value < least) least = value;
    if (value > most) most = value;
    count += 1;
  }
  found.least = least;
  found.most = most;
  found.isFloat32 = isFloat32;
  return count;
}

/** Looks at further values of a column. @param isRounded whether they are float32 by their kind */
function look(found: Found, values: Float64Array, isRounded: boolean): void {
  if (!found.isWhole && !found.isFloat32) return;
  let { isWhole, decimals, least, most, isFloat32 } = found;
  let power: number | undefined = powers[decimals];
  // (By their places: an iterator takes three times as long.)
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (Number.isNaN(value)) {
      found.hasNaN = true;
      continue;
    }
    if (Math.fround(value) !== value) isFloat32 = false;
    if (!isWhole) continue;
    // What is a whole number of some decimal is one of the next: it ends with a zero.
    while (power !== undefined && !isWholeOf(value, power, isRounded)) {
      decimals += 1;
      power = powers[decimals];
    }
    if (power === undefined || Object.is(value, -0)) isWhole = false;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  found.isWhole = isWhole;
  found.decimals = decimals;
  found.least = least;
  found.most = most;
  found.isFloat32 = isFloat32;
}

function isWholeOf(value: number, power: number, isRounded: boolean): boolean {
  const kept = Math.round(value * power) / power;
  return (isRounded ? Math.fround(kept) : kept) === value;
}

/** The narrowest type that keeps a column. */
function columnOf({ isWhole, decimals, hasNaN, ...found }: Found, data: Matrix): Column {
  const power = powers[decimals] ?? 1;
  const [least, most] = [Math.round(found.least * power), Math.round(found.most * power)];
  const type = wholeTypes.find((each) => {
    const { least: lowest, most: highest, nan } = types[each];
    return least >= lowest && most <= highest && !(hasNaN && nan === undefined);
  });
  if (isWhole && type) return { type, decimals };
  return { type: elementsOf(data) === 'F64' && found.isFloat32 ? 'F32' : elementsOf(data) };
}

/** What the elements of a matrix are. */
export function elementsOf(data: Matrix): Narrow['elements'] {
  if (data instanceof Float64Array) return 'F64';
  return data instanceof Float32Array ? 'F32' : 'I32';
}
