import { describe, expect, it } from 'vitest';
import { type Matrix, narrowed } from '../../lib/bucket/narrow.ts';
import { openNarrow, openWhole } from '../../lib/bucket/narrow-rows.ts';
import { encodeSafetensors } from '../../lib/bucket/safetensors.ts';
import { allRows, encodeShard, joinRows, openShard } from '../../lib/datasets/shard-file.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { concatSamples, type EncodedSamples, gatherSamples } from '../../lib/features/samples.ts';
import { samplesTensors } from '../../lib/state/samples-file.ts';

/** From 0 up to 1, by a seed and a place. */
const draw = (...key: number[]) => hashIntegers(...key) / 2 ** 32;

const edges = [
  ...[0, -0, 1, -1, 127, 128, -127, -128, 255, 256, 32_767, 32_768, -32_768, -32_769],
  ...[2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53, 2 ** 53 + 2, 4_194_303.5],
  ...[Number.NaN, Number.MIN_VALUE, 1e-45, 1e-7, 1.000_001, 1.000_000_1, 0.1, 0.3, 0.1 + 0.2],
  ...[3.4028234663852886e38, 1e300, -1e300, 214_748_364.7, 214_748_364.8, 2_147.483_648],
  ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];

/** Columns of the kinds that a table has, and of values at the edges of the types. */
const columns: readonly ((seed: number, row: number) => number)[] = [
  (seed, row) => Math.floor(draw(seed, row) * 2),
  (seed, row) => Math.floor(draw(seed, row) * 300) - 20,
  (seed, row) => Math.floor((draw(seed, row) - 0.5) * 70_000),
  (seed, row) => Math.floor((draw(seed, row) - 0.5) * 2 ** 33),
  (seed, row) => Number((draw(seed, row) * 100).toFixed(1 + (seed % 7))),
  (seed, row) => Number((draw(seed, row) * 100).toFixed(row % 5)),
  (seed, row) => Math.fround(draw(seed, row)),
  (seed, row) => Math.fround(Number((draw(seed, row) * 300).toFixed(2))),
  (seed, row) => draw(seed, row),
  (seed, row) => (row % 3 === 0 ? Number.NaN : Number((draw(seed, row) * 10).toFixed(2))),
  (seed, row) => (row % 7 === 0 ? -0 : Math.floor(draw(seed, row) * 5)),
  (seed, row) => edges[Math.floor(draw(seed, row) * edges.length)] ?? 0,
  (seed, row) => (row % 40 === 39 ? (edges[seed % edges.length] ?? 0) : Math.floor(row / 3)),
  () => 1,
  () => Number.NaN,
  () => 1_764_460_800.123,
];

/** Every bit of an array but the ones that tell one NaN from another. */
function bitsOf(data: Matrix): readonly string[] {
  return Array.from(data, (value) => (Object.is(value, -0) ? '-0' : String(value)));
}

function matrixOf(of: new (length: number) => Matrix, rows: number, seed: number): Matrix {
  const width = 1 + (seed % 6);
  const matrix = new of(rows * width);
  for (let at = 0; at < matrix.length; at++) {
    const row = Math.floor(at / width);
    const kind = Math.floor(draw(seed, at % width) * columns.length);
    matrix[at] = columns[kind]?.(seed + (at % width), row) ?? 0;
  }
  return matrix;
}

function samplesOf(raw: Float64Array, count: number): EncodedSamples {
  const { length } = Array.from({ length: count });
  return {
    count,
    numbers: new Float32Array(0),
    raw,
    categories: Int32Array.from({ length: count }, (_, row) => hashIntegers(row) % 512),
    labels: Float32Array.from({ length: count }, (_, row) => row % 2),
    weights: new Float32Array(length).fill(1),
  };
}

it('rows are gathered also from numbers of another type', () => {
  const samples = {
    count: 2,
    numbers: Float32Array.of(1, 2),
    raw: Float32Array.of(1, 2),
    categories: new Int32Array(0),
    labels: Float64Array.of(1.5, 2.5),
    weights: Float32Array.of(1, 1),
  };
  const layout = { numberWidth: 1, categoryCount: 0 };
  expect(gatherSamples(samples, [1, 0], layout).labels).toEqual(Float32Array.of(2.5, 1.5));
  const exact = { ...layout, hasExactLabels: true, isExact: true };
  expect(gatherSamples(samples, [1], exact).raw).toEqual(Float64Array.of(2));
});

describe('narrow columns', () => {
  it.each([
    ['float64', Float64Array],
    ['float32', Float32Array],
    ['int32', Int32Array],
  ])('keep every bit of %s', (_, of) => {
    for (let seed = 0; seed < 400; seed++) {
      const rows = seed % 5 === 0 ? 0 : 1 + Math.floor(draw(seed) * 90);
      const matrix = matrixOf(of, rows, seed);
      const { narrow, tensors } = narrowed(matrix, rows);
      const kept = openNarrow(narrow, (type) => tensors[type]?.data, rows);
      const places = Int32Array.from({ length: 50 * Math.sign(rows) }, (_, at) =>
        Math.floor(draw(seed, at, 1) * rows),
      );
      const back = kept?.rowsAt(places) ?? new Int32Array(0);
      expect(back.constructor).toBe(of);
      expect(bitsOf(back), `seed ${seed}`).toEqual(bitsOf(openWhole(matrix, rows).rowsAt(places)));
    }
  });

  it('have one NaN, whatever its bits', () => {
    const bits = (high: number) => {
      const values = Float64Array.of(0, 1 / 3, 2.5);
      new Uint32Array(values.buffer)[1] = high;
      return values;
    };
    const kept = [0x7ff80000, 0xfff80000, 0x7ff80001].map((high) => narrowed(bits(high), 3));
    for (const { tensors } of kept)
      expect(bitsOf(tensors.F64?.data as Matrix)).toEqual(
        bitsOf(kept[0]?.tensors.F64?.data as Matrix),
      );
  });

  it.each([
    ['flags', [0, 1, 1, 0], ['U8']],
    ['bytes of which one is missing', [0, 127, Number.NaN, -127], ['I8']],
    ['a byte of which one is missing', [0, 255, Number.NaN], ['I16']],
    ['prices', [19.99, 5, 120.5, 327.67], ['I16']],
    ['prices beyond that', [19.99, 327.68], ['I32']],
    ['seconds since 1970, in thousandths', [1_764_460_800.123], ['F64']],
    ['halves', [0.5, 1 / 1024], ['F32']],
    ['a zero with a sign', [0, -0], ['F32']],
    ['seven decimals', [0.1234567], ['F64']],
    ['beyond all whole numbers', [1e300, 1], ['F64']],
  ])('are as narrow as they can be: %s', (_, values, types) => {
    const { narrow } = narrowed(Float64Array.from(values), values.length);
    expect(narrow.columns.map(({ type }) => type)).toEqual(types);
  });

  it('are no matrix where what is said of them is not true', () => {
    const { narrow, tensors } = narrowed(Float64Array.of(1, 2, 3), 3);
    const short = (type: keyof typeof tensors) => tensors[type]?.data.subarray(1);
    expect(openNarrow(narrow, short, 3)).toBeUndefined();
    expect(openNarrow(narrow, () => undefined, 3)).toBeUndefined();
    expect(openNarrow(narrow, () => new Float32Array(3), 3)).toBeUndefined();
  });
});

function wholeOf(file: Uint8Array): EncodedSamples | undefined {
  const opened = openShard(file);
  return opened && allRows(opened);
}

describe('a shard', () => {
  const rows = samplesOf(Float64Array.of(1.25, Number.NaN, 1e-9, 40, -3, 0.1), 3);

  it('comes back as it was, and takes a third of the bytes', () => {
    expect(wholeOf(encodeShard(rows))).toEqual({ ...rows, isDerived: true });
    const prices = Float64Array.from(
      { length: 4_000 },
      (_, at) => (hashIntegers(at) % 9_999) / 100,
    );
    const table = samplesOf(prices, 1_000);
    expect(wholeOf(encodeShard(table))).toEqual({ ...table, isDerived: true });
    const whole = encodeSafetensors({ tensors: samplesTensors(table), metadata: {} });
    expect(encodeShard(table).length).toBeLessThan(whole.length / 3);
  });

  it('of an earlier release is read', () => {
    const file = encodeSafetensors({ tensors: samplesTensors(rows), metadata: {} });
    expect(wholeOf(file)).toEqual({ ...rows, isDerived: true });
  });

  it('is none without its rows', () => {
    expect(openShard(encodeSafetensors({ tensors: {}, metadata: {} }))).toBeUndefined();
  });

  it('and others behind it are one', () => {
    const layout = { numberWidth: 2, categoryCount: 1, isExact: true };
    const parts = [3, 1, 5].map((count, i) =>
      samplesOf(
        Float64Array.from({ length: 2 * count }, (_, at) => 10 * i + at / 4),
        count,
      ),
    );
    const opened = parts.flatMap((part) => openShard(encodeShard(part)) ?? []);
    const joined = joinRows(opened, layout);
    const whole = concatSamples(parts, layout);
    expect(allRows(joined)).toEqual({ ...whole, isDerived: true });
    const places = Int32Array.of(8, 0, 3, 3, 4, 2, 8);
    expect(joined.at(places)).toEqual({ ...gatherSamples(whole, places, layout), isDerived: true });
  });
});
