import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { decompressLz4Raw } from 'hyparquet-compressors';
import { type BasicType, parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readRows } from '../../lib/datasets/rows.ts';
import { hashIntegers } from '../../lib/features/hash.ts';

type Kind = {
  readonly type: BasicType;
  readonly encoding?: 'PLAIN' | 'RLE' | 'DELTA_BINARY_PACKED' | 'BYTE_STREAM_SPLIT';
  readonly of: (draw: number) => unknown;
};

const kinds: readonly Kind[] = [
  { type: 'BOOLEAN', of: (draw) => draw % 3 === 0 },
  { type: 'BOOLEAN', encoding: 'RLE', of: (draw) => draw % 40 < 20 },
  { type: 'INT32', of: (draw) => (draw % 2_000) - 1_000 },
  { type: 'INT32', encoding: 'DELTA_BINARY_PACKED', of: (draw) => draw % 5_000 },
  { type: 'INT64', of: (draw) => BigInt(draw) * 9_007_199n },
  { type: 'INT64', encoding: 'PLAIN', of: (draw) => -BigInt(draw) },
  { type: 'FLOAT', of: (draw) => draw / 256 },
  { type: 'DOUBLE', of: (draw) => draw / 7 },
  { type: 'DOUBLE', encoding: 'BYTE_STREAM_SPLIT', of: (draw) => draw / 3 },
  { type: 'STRING', of: (draw) => `v\u00e9${draw % 9}` },
  { type: 'STRING', encoding: 'PLAIN', of: (draw) => 'x'.repeat(draw % 17) },
  { type: 'TIMESTAMP', of: (draw) => new Date(draw * 1_000) },
  { type: 'JSON', of: (draw) => ({ a: draw % 5 }) },
];
const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'ZSTD'] as const;
const compressors = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes),
};

/** A table of all kinds of columns; some miss nothing, some a part, some all. */
function tableOf(seed: number): ArrayBuffer {
  const draw = (...place: number[]) => hashIntegers(seed, ...place) >>> 12;
  const rows = [1, 7, 8, 63, 300][draw(0) % 5] ?? 1;
  const columnData = kinds.map(({ type, encoding, of }, column) => {
    const missing = [-1, 0, 3, 10][draw(1, column) % 4] ?? 0;
    const data = Array.from({ length: rows }, (_, row) =>
      draw(2, column, row) % 10 < missing ? null : of(draw(3, column, row)),
    );
    const options = { nullable: missing >= 0, ...(encoding && { encoding }) };
    return { name: `c${column}`, data, type, ...options };
  });
  const codec = codecs[draw(4) % codecs.length] ?? 'SNAPPY';
  const sizes = { rowGroupSize: 1 + (draw(5) % 200), pageSize: 64 + (draw(6) % 1_000) };
  return parquetWriteBuffer({ columnData, codec, compressors, ...sizes });
}

const decompressors = {
  GZIP: (packed: Uint8Array) => Uint8Array.from(gunzipSync(packed)),
  ZSTD: (packed: Uint8Array) => Uint8Array.from(zstdDecompressSync(packed)),
  LZ4_RAW: (packed: Uint8Array, size: number) => decompressLz4Raw(packed, size),
};

async function expectSame(file: ArrayBuffer): Promise<void> {
  const own: unknown[] = [];
  const bytes = bytesInMemory(new Uint8Array(file));
  for await (const { rows } of readRows({ name: 'a.parquet', bytes })) own.push(...rows);
  expect(own).toEqual(await parquetReadObjects({ file, compressors: decompressors }));
}

describe('columns of Parquet', () => {
  it('are those that hyparquet reads row by row, whatever is packed, cut and missing', async () => {
    for (let seed = 1; seed <= 60; seed++) await expectSame(tableOf(seed));
  });

  const folder = new URL('parquet/', import.meta.url);
  // Bytes without a type are texts here, as they are in Arrow.
  // Decimals are what their digits say, and not what multiplying by a power of ten makes of them.
  const others = ['fixed-bytes.parquet', 'decimal.parquet'];
  const names = readdirSync(folder).filter((name) => !others.includes(name));
  it.each(names)('of another tool are so too: %s', async (name) => {
    await expectSame(Uint8Array.from(readFileSync(new URL(name, folder))).buffer);
  });

  it.each([
    ['INT32', 0],
    ['INT32', 2],
    ['INT64', 3],
    ['INT64', 15],
    ['FIXED_LEN_BYTE_ARRAY', 2],
    ['FIXED_LEN_BYTE_ARRAY', 30],
  ] as const)('of decimals are the numbers that are written so: %s of %i', async (type, scale) => {
    const digits = Array.from({ length: 200 }, (_, i) => {
      const draw = hashIntegers(i, scale);
      const whole = BigInt(draw % 2 === 0 ? draw >>> 4 : -(draw >>> 1)) >> BigInt(i % 20);
      return type === 'INT32' ? whole : whole * 12_345n;
    });
    const element = { converted_type: 'DECIMAL', scale, precision: 30 } as const;
    const file = parquetWriteBuffer({
      columnData: [{ name: 'd', data: digits }],
      schema: [
        { name: 'root', num_children: 1 },
        {
          ...{ name: 'd', type, repetition_type: 'REQUIRED', ...element },
          ...(type === 'FIXED_LEN_BYTE_ARRAY' && { type_length: 9 }),
        },
      ],
    });
    const read: unknown[] = [];
    const bytes = bytesInMemory(new Uint8Array(file));
    for await (const { rows } of readRows({ name: 'a.parquet', bytes }))
      for (const row of rows) read.push(row.d);
    expect(read).toEqual(digits.map((whole) => Number(`${whole}e-${scale}`)));
  });
});

it('keeps bytes apart that are no text, where the file does not say that they are one', async () => {
  const data = [[0xff, 0xfe], [0xfe, 0xff], [...Buffer.from('ok')]].map((bytes) =>
    Uint8Array.from(bytes),
  );
  const columnData = [
    { name: 'bytes', data, type: 'BYTE_ARRAY' as const },
    { name: 'text', data: ['a', 'b', 'c'], type: 'STRING' as const },
  ];
  const bytes = bytesInMemory(new Uint8Array(parquetWriteBuffer({ columnData })));
  const rows: unknown[] = [];
  for await (const chunk of readRows({ name: 'a.parquet', bytes, columns: 'all' }))
    rows.push(...chunk.rows);
  expect(rows).toEqual([
    { bytes: '0xfffe', text: 'a' },
    { bytes: '0xfeff', text: 'b' },
    { bytes: 'ok', text: 'c' },
  ]);
});
