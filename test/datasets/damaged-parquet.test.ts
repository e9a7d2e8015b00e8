import { readFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readRows } from '../../lib/datasets/rows.ts';
import { reasonOf } from '../../lib/errors.ts';

const rows = 300;
const columnData = [
  { name: 'x', data: Float64Array.from({ length: rows }, (_, i) => i * 1.7), type: 'DOUBLE' },
  { name: 'kind', data: Array.from({ length: rows }, (_, i) => `k${i % 7}`), type: 'STRING' },
] as const;
const whole = Buffer.from(
  parquetWriteBuffer({ columnData: columnData.map((each) => ({ ...each })), rowGroupSize: 100 }),
);

const packers = {
  GZIP: (bytes: Uint8Array) => gzipSync(bytes),
  ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes),
};

const parts = [
  'it is cut short: Parquet ends with PAR1',
  'it is no Parquet: it does not begin with PAR1',
  'what it says of itself at its end cannot be read',
  'its row group of rows \\d+ to \\d+ cannot be read',
  'column "(x|kind)" of rows \\d+ to \\d+ cannot be read',
  'its row group from row \\d+ to \\d+ takes',
  'the file is damaged',
  'two columns are named',
].join('|');
const inWords = new RegExp(`^a\\.parquet cannot be read( behind row \\d+)?: (${parts})`);

async function reading(body: Buffer): Promise<number | string> {
  let chunks = 0;
  try {
    for await (const _ of readRows({ name: 'a.parquet', bytes: bytesInMemory(body) })) chunks += 1;
  } catch (error) {
    return reasonOf(error);
  }
  return chunks;
}

describe('a damaged Parquet file', () => {
  it('is read whole, as it is', async () => expect(await reading(whole)).toBeTypeOf('number'));

  it('says that it is cut short, wherever it is', async () => {
    for (let length = 1; length < whole.length; length += 13)
      expect(await reading(whole.subarray(0, length))).toMatch(inWords);
  });

  it('says in words which part cannot be read, whatever is overwritten or gone', async () => {
    for (let at = 0; at < whole.length; at += 29) {
      for (const filled of [0, 0xff, 0x15]) {
        const end = Math.min(at + 24, whole.length);
        const answer = await reading(Buffer.from(whole).fill(filled, at, end));
        if (typeof answer === 'string') expect(answer).toMatch(inWords);
      }
      const without = Buffer.concat([whole.subarray(0, at), whole.subarray(at + 20)]);
      const answer = await reading(without);
      if (typeof answer === 'string') expect(answer).toMatch(inWords);
    }
  });

  it('of which a page says what cannot be of its levels is refused, and read no further', async () => {
    const data = Float64Array.from({ length: 60 }, (_, i) => i * 1.5);
    const columns = [{ name: 'x', data, type: 'DOUBLE' as const }];
    const body = Buffer.from(
      parquetWriteBuffer({ columnData: columns, codec: 'UNCOMPRESSED' }),
    ).fill(0x80, 18, 19);
    expect(await reading(body)).toMatch(inWords);
  });
});

describe('a small file that would take all memory', () => {
  it.each([
    ['long-run-of-truths', /a run of 2147483647 values in a page of 1/],
    ['large-dictionary', /its dictionary of 80000000 values has no end/],
    ['many-dictionaries', /it has more than one dictionary/],
    ['long-texts', /its texts have 1000050000 bytes/],
  ])('is refused before it is unpacked: %s', async (name, reason) => {
    const file = new URL(`damaged/${name}.parquet`, import.meta.url);
    const before = process.memoryUsage().rss;
    expect(await reading(readFileSync(file))).toMatch(reason);
    expect(process.memoryUsage().rss - before).toBeLessThan(2e8);
  });
});

describe('what a file says of itself', () => {
  const withFooter = (footer: readonly number[]) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    return Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), length, Buffer.from('PAR1')]);
  };
  const times = (count: number, bytes: readonly number[]) =>
    Array.from({ length: count }, () => bytes).flat();

  it('is refused where its lists have more elements than it has bytes', async () => {
    // Lists within lists, of 33 million elements each.
    const lists = withFooter([0x19, ...times(40, [0xf9, 0xc0, 0x95, 0xde, 0x0f])]);
    expect(await reading(lists)).toMatch(/a list of 33000128 elements in 195 bytes/);
  });

  it('is refused where an element has less than no children', async () => {
    const file = new URL('damaged/negative-children.parquet', import.meta.url);
    expect(await reading(readFileSync(file))).toMatch(/cannot be read, as where bytes are missing/);
  });

  it('is refused where its structs lie too deep in others', async () => {
    expect(await reading(withFooter(times(50_000, [0x1c])))).toMatch(/too deep in others/);
    expect(await reading(withFooter(times(50_000, [0x19])))).toMatch(inWords);
  });
});

describe('a column of nothing', () => {
  it.each(['GZIP', 'ZSTD', 'SNAPPY', 'UNCOMPRESSED'] as const)(
    'is read, packed by %s',
    async (codec) => {
      const nothing = Array.from({ length: 50 }, () => null);
      const columns = [{ name: 'x', data: nothing, type: 'DOUBLE' as const, nullable: true }];
      const body = Buffer.from(
        parquetWriteBuffer({ columnData: columns, codec, compressors: packers }),
      );
      expect(await reading(body)).toBe(1);
    },
  );

  it('of which a run is longer than its page is refused before it is written out', async () => {
    const file = new URL('parquet/struct-in-category.parquet', import.meta.url);
    const body = readFileSync(file).fill(0x80, 549, 557).fill(0xff, 1_178, 1_186);
    expect(await reading(body)).toMatch(/a run of \d+ values in a page of 40/);
    // Any eight bytes that may be a run: memory stays that of a small file.
    const before = process.memoryUsage().rss;
    for (let at = 4; at < body.length - 300; at += 11)
      await reading(readFileSync(file).fill(0x80, at, at + 8));
    expect(process.memoryUsage().rss - before).toBeLessThan(1e9);
  });
});
