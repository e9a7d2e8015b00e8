import { readFileSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import {
  columnFromArray,
  type DataType,
  dateDay,
  decimal,
  dictionary,
  fixedSizeList,
  float32,
  getCompressionCodec,
  int64,
  setCompressionCodec,
  struct,
  tableFromColumns,
  tableToIPC,
  timestamp,
  utf8,
} from '@uwdata/flechette';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { messagesOf } from '../../lib/datasets/formats/arrow-messages.ts';
import { decodeLz4Frame } from '../../lib/datasets/formats/lz4-frame.ts';
import { cutsOf, readRows } from '../../lib/datasets/rows.ts';

const vega = (name: string) =>
  readFileSync(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')));
const own = (name: string) => readFileSync(new URL(`arrow/${name}`, import.meta.url));

type Stretch = { readonly from?: number; readonly to?: number | undefined };

async function rowsIn(body: Uint8Array, name = 'a.arrow', { from = 0, to }: Stretch = {}) {
  const rows: Readonly<Record<string, unknown>>[] = [];
  const lines: number[] = [];
  const bytes = bytesInMemory(body);
  const place = { at: from, line: from + 1 };
  for await (const chunk of readRows({ name, bytes, columns: 'all', from: place, to })) {
    rows.push(...chunk.rows);
    lines.push(...chunk.lines);
  }
  return { rows, lines };
}

const rowsOf = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: BigInt(first + i) + 2n ** 54n,
    price: Math.fround((first + i) / 7),
    kind: (first + i) % 3 === 0 ? null : `kind ${(first + i) % 4}`,
    at: new Date(Date.UTC(2026, 0, 1, first + i)),
    day: new Date(Date.UTC(2026, 0, 1 + i)),
    point: [first, i],
  }));
type Sample = ReturnType<typeof rowsOf>[number];

/** A table as one batch. */
function tableOf(rows: readonly Sample[]) {
  const column = <Name extends keyof Sample>(name: Name, type: DataType) =>
    columnFromArray(
      rows.map((row) => row[name]),
      type,
    );
  return tableFromColumns({
    id: column('id', int64()),
    price: column('price', float32()),
    kind: column('kind', dictionary(utf8())),
    at: column('at', timestamp()),
    day: column('day', dateDay()),
    point: column('point', fixedSizeList(float32(), 2)),
  });
}

function bytesOf(
  rows: readonly Sample[],
  format: 'file' | 'stream',
  codec?: 'zstd' | 'lz4',
): Uint8Array {
  const options = codec === undefined ? {} : { codec: codec === 'zstd' ? 1 : 0 };
  const bytes = tableToIPC(tableOf(rows), { format, ...options } as object);
  if (bytes === null) throw new Error('nothing was written');
  return bytes;
}

/** The messages of two streams of one schema as one: two batches. */
async function joined(a: Uint8Array, b: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const [i, stream] of [a, b].entries())
    for await (const { kind, start, end } of messagesOf(bytesInMemory(stream)))
      if (i === 0 || kind !== 'schema') parts.push(stream.subarray(start, end));
  return Buffer.concat(parts);
}

describe('Arrow IPC', () => {
  it('has lists that a message can have, as they are sent', async () => {
    const { rows } = await rowsIn(bytesOf(rowsOf(0, 3), 'stream'));
    const points = rows.map(({ point }) => point);
    expect(JSON.parse(JSON.stringify(points))).toEqual(points);
    const within = points.map((list) => ({ list }));
    const nested = columnFromArray(within, struct({ list: fixedSizeList(float32(), 2) }));
    const file = tableToIPC(tableFromColumns({ nested }), { format: 'stream' });
    const { rows: read } = await rowsIn(file ?? new Uint8Array());
    expect(read.map((row) => row.nested)).toEqual(within);
  });

  it('has decimals that are what their digits say', async () => {
    const digits = Array.from({ length: 2_000 }, (_, i) => (i * 7_919) % 100_003);
    const prices = columnFromArray(
      digits.map((whole) => BigInt(whole)),
      decimal(30, 2, 128),
    );
    const file = tableToIPC(tableFromColumns({ prices }), { format: 'stream' });
    const { rows } = await rowsIn(file ?? new Uint8Array());
    expect(rows.map((row) => row.prices)).toEqual(digits.map((whole) => whole / 100));
  });

  it('says where its schema must be, of a file that has it in the footer alone', async () => {
    const file = bytesOf(rowsOf(0, 3), 'file');
    const metadataBytes = new DataView(file.buffer, file.byteOffset).getUint32(12, true);
    const without = Uint8Array.of(...file.subarray(0, 8), ...file.subarray(16 + metadataBytes));
    await expect(rowsIn(without)).rejects.toThrow('write it as a stream (.arrows)');
  });

  it('is read as another tool wrote it', async () => {
    const { rows, lines } = await rowsIn(vega('flights-200k.arrow'));
    const same: Record<string, number>[] = JSON.parse(vega('flights-200k.json').toString());
    expect(rows.length).toBe(same.length);
    expect(lines.at(-1)).toBe(same.length);
    const wrong = rows.findIndex((row, i) =>
      Object.entries(same[i] ?? {}).some(
        ([name, value]) => Math.abs(Number(row[name]) - value) > 1e-5 * Math.abs(value) + 1e-6,
      ),
    );
    expect([wrong, rows[wrong], same[wrong]]).toEqual([-1, undefined, undefined]);
  });

  it.each(['file', 'stream'] as const)('is read as a %s, with values of each type', async (as) => {
    const rows = rowsOf(0, 50);
    expect((await rowsIn(bytesOf(rows, as))).rows).toEqual(rows);
  });

  it('is read where its buffers are packed', async () => {
    // (The reader cannot pack.)
    const { decode } = getCompressionCodec(1) ?? { decode: fail };
    setCompressionCodec(1, { encode: (bytes) => zstdCompressSync(bytes), decode });
    const rows = rowsOf(0, 500);
    const packed = bytesOf(rows, 'file', 'zstd');
    expect(packed.length).toBeLessThan(bytesOf(rows, 'file').length);
    expect((await rowsIn(packed)).rows).toEqual(rows);
  });

  it('is cut between batches, and read from any row to any cut', async () => {
    const [a, b] = [rowsOf(0, 30), rowsOf(30, 20)];
    const stream = await joined(bytesOf(a, 'stream'), bytesOf(b, 'stream'));
    const name = 'a.arrows';
    const all = [...a, ...b];
    expect((await rowsIn(stream, name)).rows).toEqual(all);
    expect(await cutsOf({ name, bytes: bytesInMemory(stream) }, 10)).toEqual([30]);
    expect((await rowsIn(stream, name, { to: 30 })).rows).toEqual(a);
    for (const from of [1, 29, 30, 31, 49]) {
      const { rows, lines } = await rowsIn(stream, name, { from });
      expect(rows).toEqual(all.slice(from));
      expect(lines[0]).toBe(from + 1);
    }
  });

  it.each(['pyarrow-lz4.feather', 'pyarrow-zstd.feather', 'pyarrow.arrows'])(
    'is read as pyarrow wrote it: %s',
    async (name) => {
      const rows = Array.from({ length: 60 }, (_, i) => ({
        id: BigInt(i) + 2n ** 54n,
        small: i % 5,
        half: i / 4,
        price: i / 100,
        ok: i % 2 === 0,
        kind: i % 3 === 0 ? null : `kind ${i % 4}`,
        note: `Größe ${i}`,
        raw: i % 2 === 1 ? 'ab' : '',
        at: new Date(Date.UTC(2026, 0, 1, i % 24)),
        day: new Date(Date.UTC(2026, 0, 1 + (i % 28))),
        list: [i, i + 0.5],
        nothing: null,
      }));
      expect((await rowsIn(own(name), name)).rows).toEqual(rows);
    },
  );

  it('is read as Polars writes files: a bare schema, and dictionaries behind the rows', async () => {
    const rows = Array.from({ length: 50 }, (_, i) => ({
      id: BigInt(i),
      kind: `kind ${i % 4}`,
      note: i % 3 === 0 ? null : `Größe ${i}`,
      list: [i, i + 0.5],
    }));
    const body = own('polars.arrow');
    expect((await rowsIn(body, 'a.arrow')).rows).toEqual(rows);
    expect((await rowsIn(body, 'a.arrow', { from: 23 })).rows).toEqual(rows.slice(23));
    expect(await cutsOf({ name: 'a.arrow', bytes: bytesInMemory(body) }, 10)).toEqual([20, 40]);
    for (let length = 0; length < body.length; length += 29)
      await expect(rowsIn(body.subarray(0, length), 'a.arrow')).rejects.toThrow(
        /^a\.arrow cannot be read: /,
      );
  });

  it('is refused where it says that it has more rows than it can have', async () => {
    const body = own('pyarrow-nulls.feather');
    for (let at = 0; at + 8 <= body.length; at += 4)
      if (body.readBigInt64LE(at) === 3n) body.writeBigInt64LE(2n ** 40n, at);
    await expect(rowsIn(body)).rejects.toThrow('there is no whole message at byte');
    const whole = bytesOf(rowsOf(0, 300), 'file');
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    for (let at = 0; at + 8 <= whole.length; at += 4)
      if (view.getBigInt64(at, true) === 300n) view.setBigInt64(at, 30_000n, true);
    await expect(rowsIn(whole)).rejects.toThrow('it has fewer values than rows');
  });

  it('is refused where unpacking it would take all memory', async () => {
    await expect(rowsIn(own('pyarrow-bomb.arrow'))).rejects.toThrow(
      /it takes more than 805306368 bytes in memory|Cannot create a Buffer larger/,
    );
  });

  it('says where it is damaged, and never waits', async () => {
    const whole = bytesOf(rowsOf(0, 50), 'file');
    for (let length = 0; length < whole.length; length += 13) {
      const read = rowsIn(whole.subarray(0, length)).then(
        ({ rows }) => rows.length,
        (error: Error) => error.message,
      );
      // A file that was cut has all of its rows, or none and a reason.
      expect([50, expect.stringMatching(/^a\.arrow cannot be read: /)]).toContainEqual(await read);
    }
    for (let at = 8; at < whole.length; at += 7) {
      const changed = Uint8Array.from(whole);
      changed[at] = 255 - (changed[at] ?? 0);
      await rowsIn(changed).catch(({ message }: Error) =>
        expect(message).toMatch(/^a\.arrow cannot be read: /),
      );
    }
  });
});

function fail(): never {
  throw new Error('not here');
}

describe('an LZ4 frame', () => {
  const text = Array.from({ length: 12_000 }, (_, i) => `row ${i % 97} of ${i % 7};`).join('');
  const noise = Uint8Array.from({ length: 300 }, (_, i) => (i * 7_919 + i * i * 31) % 251);

  it.each([
    ['linked', Buffer.from(text)],
    ['apart', Buffer.from(text)],
    ['stored', Buffer.from(noise)],
  ])('is what lz4 1.9.4 packed: %s', (name, content) => {
    expect(Buffer.from(decodeLz4Frame(own(`${name}.lz4`), 1e6)).equals(content)).toBe(true);
  });

  it('is refused where it is damaged, or too large', () => {
    const frame = own('linked.lz4');
    for (let length = 0; length < frame.length - 8; length += 31)
      expect(() => decodeLz4Frame(frame.subarray(0, length), 1e6)).toThrow('damaged');
    expect(() => decodeLz4Frame(frame, 1_000)).toThrow('takes more than 1000 bytes in memory');
  });
});
