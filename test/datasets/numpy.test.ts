import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { cutsOf, readRows } from '../../lib/datasets/rows.ts';

const fileOf = (name: string) => readFileSync(new URL(`numpy/${name}`, import.meta.url));

async function rowsIn(name: string, body: Uint8Array = fileOf(name), from = 0, to?: number) {
  const rows: Readonly<Record<string, unknown>>[] = [];
  const place = { at: from, line: from + 1 };
  const file = { name, bytes: bytesInMemory(body), columns: 'all' as const };
  for await (const chunk of readRows({ ...file, from: place, to })) rows.push(...chunk.rows);
  return rows;
}

const kinds = ['red', 'blue', '', 'red', 'x'];
const arrays = Array.from({ length: 5 }, (_, i) => ({
  image: Array.from({ length: 6 }, (_each, j) => 6 * i + j),
  half: i / 2,
  kind: kinds[i],
  label: i,
}));

describe('what NumPy wrote', () => {
  it('is read, an array alone by the numbers of its columns', async () => {
    expect(await rowsIn('plain.npy')).toEqual(
      Array.from({ length: 5 }, (_, i) => ({ 0: (2 * i) / 4, 1: (2 * i + 1) / 4 })),
    );
  });

  it('is read, a structured array by its fields', async () => {
    const names = ['ä', 'b𝄞', '', 'long t', 'z'];
    const dates = ['2026-01-01', '2026-01-02T03:04:05Z', null, '1969-12-31', '2030-01-01'];
    expect(await rowsIn('table.npy')).toEqual(
      names.map((name, i) => {
        const date = dates[i];
        const at = typeof date === 'string' ? new Date(date) : null;
        return { x: i / 8, name, n: BigInt(i) + 2n ** 60n, ok: i % 2 === 0, at };
      }),
    );
  });

  it.each(['arrays.npz', 'packed.npz'])('is read, %s by the names of its arrays', async (name) => {
    expect(await rowsIn(name)).toEqual(arrays);
    for (const from of [1, 4])
      expect(await rowsIn(name, fileOf(name), from)).toEqual(arrays.slice(from));
    expect(await rowsIn(name, fileOf(name), 1, 3)).toEqual(arrays.slice(1, 3));
  });

  it('is cut at rows, where it is not packed', async () => {
    const cuts = (name: string) => cutsOf({ name, bytes: bytesInMemory(fileOf(name)) }, 40);
    expect(await cuts('arrays.npz')).toEqual([2, 4]);
    expect(await cuts('packed.npz')).toEqual([]);
    expect(await cuts('plain.npy')).toEqual([]);
  });

  it('is read, fields whose places are filled up, and names of any letters', async () => {
    expect(await rowsIn('aligned.npy')).toEqual(
      [0, 1, 2].map((i) => ({ ünit: i + 1, x: i + 0.5, n: i + 7 })),
    );
  });

  it('is refused where a checksum is another, or something stands behind the array', async () => {
    for (const name of ['arrays.npz', 'packed.npz']) {
      const body = Buffer.from(fileOf(name));
      const directory = body.indexOf('PK\x01\x02', 0, 'latin1');
      body.writeUInt8(body.readUInt8(directory + 16) ^ 1, directory + 16);
      await expect(rowsIn(name, body)).rejects.toThrow('image is damaged: it has another checksum');
    }
    const two = Buffer.concat([fileOf('plain.npy'), fileOf('plain.npy')]);
    await expect(rowsIn('plain.npy', two)).rejects.toThrow(
      'bytes behind its array of 5 rows, and one array of a file is read; save each in a file',
    );
  });

  it.each([
    ['fortran.npz', 'b.npy: it is written column by column'],
    ['column.npy', 'it is written column by column; save numpy.ascontiguousarray() of it'],
    ['objects.npy', 'it has values of the type |O; save numbers, truth values, texts or dates'],
    ['uneven.npz', 'a has 3 rows, and b has 4'],
  ])('is refused with a reason: %s', async (name, reason) => {
    await expect(rowsIn(name)).rejects.toThrow(`${name} cannot be read: ${reason}`);
  });

  it.each(['plain.npy', 'table.npy', 'arrays.npz', 'packed.npz'])(
    'is refused where it is damaged: %s',
    async (name) => {
      const whole = fileOf(name);
      const reason = expect.stringContaining(`${name} cannot be read: `);
      for (let length = 0; length < whole.length; length += 17)
        await expect(rowsIn(name, whole.subarray(0, length))).rejects.toMatchObject({
          message: reason,
        });
      for (let at = 0; at < whole.length; at += 5) {
        const changed = Uint8Array.from(whole);
        changed[at] = 255 - (changed[at] ?? 0);
        await rowsIn(name, changed).catch((error: Error) => expect(error.message).toEqual(reason));
      }
    },
  );
});
