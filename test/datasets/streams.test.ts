import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ByteSource,
  bytesInMemory,
  bytesOfObject,
  piecesOf,
} from '../../lib/datasets/byte-source.ts';
import { csv } from '../../lib/datasets/formats/csv.ts';
import type { RowChunk } from '../../lib/datasets/formats/format.ts';
import { jsonLines } from '../../lib/datasets/formats/json-lines.ts';
import { readRows } from '../../lib/datasets/rows.ts';
import { textOf } from '../../lib/datasets/text.ts';
import { limits } from '../../lib/limits.ts';
import { memoryStore } from '../support/memory-store.ts';

async function* cut(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0;
  for (let i = 0; start < bytes.length; i++) {
    const end = start + (lengths[i % lengths.length] ?? 1);
    yield bytes.subarray(start, end);
    start = end;
  }
}

async function together(chunks: AsyncIterable<RowChunk>) {
  const all = { rows: [] as unknown[], lines: [] as number[], bad: [] as unknown[] };
  for await (const { rows, lines, bad } of chunks) {
    all.rows.push(...rows);
    all.lines.push(...lines);
    all.bad.push(...bad);
  }
  return all;
}

/** Characters of one to four bytes, and those that the formats give a meaning. */
const hostileText = fc
  .array(
    fc.constantFrom(
      'a',
      '1',
      ',',
      ';',
      '"',
      '""',
      '\n',
      '\r\n',
      '\r',
      ' ',
      'ü',
      '€',
      '𝄞',
      '{"x":1}',
      '{',
    ),
  )
  .map((parts) => parts.join(''));
const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe('a text that is read in pieces', () => {
  it.each([
    ['csv', csv],
    ['json lines', jsonLines],
  ] as const)('has the same rows, lines and bad rows wherever it is cut: %s', async (_, format) => {
    if (!format.isText) throw new Error('it is text');
    await fc.assert(
      fc.asyncProperty(hostileText, lengths, async (text, cuts) => {
        const bytes = Buffer.from(`x,y\n${text}`);
        // A header that names two columns alike is refused, however it is cut.
        const whole = await together(format.read(() => cut(bytes, [bytes.length]), {}));
        expect(await together(format.read(() => cut(bytes, cuts), {}))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['csv', csv, ['x,y', '1,a', '  ', '2,b"', '3,"c" d', '', '4,"e', 'f"', '5,g']],
    ['json lines', jsonLines, ['{"x":1}', '', '{"x":', '  ', '{"x":2}', 'NaN', '{"x":3}']],
  ] as const)('has the same lines, whichever line ends it has: %s', async (_, format, lines) => {
    if (!format.isText) throw new Error('it is text');
    const read = (lineEnd: string) => {
      const bytes = Buffer.from(lines.join(lineEnd));
      return together(format.read(() => cut(bytes, [3, 1, 2]), {}));
    };
    const expected = await read('\n');
    expect(expected.bad.length).toBeGreaterThan(0);
    const withEnd = ({ rows, lines: places, bad }: typeof expected, lineEnd: string) => ({
      rows: JSON.parse(
        JSON.stringify(rows).replaceAll(JSON.stringify(lineEnd).slice(1, -1), '\\n'),
      ),
      lines: places,
      bad,
    });
    for (const lineEnd of ['\r\n', '\r']) {
      expect(withEnd(await read(lineEnd), lineEnd), JSON.stringify(lineEnd)).toEqual(expected);
    }
  });

  it('has a bad row that keeps nothing of what it was cut from', async () => {
    const body = Buffer.from(`x,y\n${`"x" y,${'漢'.repeat(20_000)}\n`.repeat(600)}`);
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const { bad } = await together(readRows({ name: 'a.csv', bytes: bytesInMemory(body) }));
    expect(bad).toHaveLength(600);
    collectGarbage();
    // 20,000 characters of two bytes each would be 24 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(12_000_000);
  });

  it('is the same text in each encoding, whole and in pieces', async () => {
    await fc.assert(
      fc.asyncProperty(hostileText, lengths, async (text, cuts) => {
        const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le');
        const forms = [
          Buffer.from(text),
          Buffer.from(`\ufeff${text}`),
          utf16,
          Buffer.from(utf16).swap16(),
          gzipSync(text),
          gzipSync(utf16),
        ];
        for (const form of forms) {
          const parts: Buffer[] = [];
          for await (const part of textOf(slow(form, cuts))) parts.push(part);
          expect(Buffer.concat(parts).toString()).toBe(text);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('is refused if it is in another encoding, wherever the wrong letter stands', async () => {
    for (const length of [0, 1, 3, limits.pieceBytes - 1, limits.pieceBytes]) {
      const bytes = Buffer.concat([Buffer.alloc(length, 'a'), Buffer.from([0xe8, 0x67])]);
      await expect(
        together(readRows({ name: 'a.csv', bytes: bytesInMemory(bytes) })),
      ).rejects.toThrow(/its text must be UTF-8/);
    }
    const unfinished = Buffer.from('x\nü').subarray(0, -1);
    await expect(
      together(readRows({ name: 'a.csv', bytes: bytesInMemory(unfinished) })),
    ).rejects.toThrow(/its text must be UTF-8/);
  });

  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  it.each([
    ['gz', gzipSync],
    ['zst', (text: string) => zstdCompressSync(text, { params })],
  ] as const)('is refused if its %s ends too early or is damaged', async (ending, pack) => {
    const text = Array.from({ length: 50_000 }, (_, i) => `{"x":${i * 7919}}`).join('\n');
    const packed = pack(text);
    for (const damaged of [packed.subarray(0, -9), Buffer.from(packed).fill(7, 5_000, 5_010)]) {
      const name = `a.jsonl.${ending}`;
      const read = together(readRows({ name, bytes: bytesInMemory(damaged) }));
      const reason =
        /a\.jsonl\.\w+ cannot be read( behind line \d+)?: its (gzip|zstd) is (cut short|damaged)/;
      await expect(read).rejects.toThrow(reason);
    }
  });

  it('has all members and frames of what was packed in parts', async () => {
    const line = (i: number) => `{"x":${i}}\n`;
    const frames = Array.from({ length: 300 }, (_, i) => zstdCompressSync(line(i)));
    const skipped = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const large = zstdCompressSync(
      randomBytes(2_000_000).toString('hex').replaceAll(/.{64}/g, '\n'),
    );
    const members = Array.from({ length: 300 }, (_, i) => gzipSync(line(i)));
    const expected = Array.from({ length: 300 }, (_, x) => ({ x }));
    for (const [name, parts] of [
      ['a.jsonl.gz', members],
      ['a.jsonl.zst', [skipped, ...frames.flatMap((frame) => [frame, skipped])]],
      ['a.jsonl.zst', [large, ...frames.slice(0, 150), large, ...frames.slice(150)]],
    ] as const) {
      const bytes = bytesInMemory(Buffer.concat(parts));
      expect((await together(readRows({ name, bytes }))).rows).toEqual(expected);
    }
    for (const end of ['x', skipped.subarray(0, -1)]) {
      const bytes = bytesInMemory(Buffer.concat([...frames, Buffer.from(end)]));
      await expect(together(readRows({ name: 'a.jsonl.zst', bytes }))).rejects.toThrow('its zstd');
    }
  });

  it('has a line that is too long refused alone, with its place', async () => {
    const long = Buffer.alloc(2.5 * limits.rowBytes, 'z');
    for (const [name, start, end] of [
      ['a.jsonl', '{"x":1}\n{"x":"', '"}\n{"x":3}\n'],
      ['a.csv', 'x\n1\n"', '"\n3\n'],
    ] as const) {
      const bytes = Buffer.concat([Buffer.from(start), long, Buffer.from(end)]);
      const { rows, bad } = await together(readRows({ name, bytes: bytesInMemory(bytes) }));
      expect(rows.map((row) => String((row as { x: unknown }).x))).toEqual(['1', '3']);
      expect(bad).toHaveLength(1);
      const reason = expect.stringContaining('more than');
      expect(bad).toMatchObject([{ line: name === 'a.csv' ? 3 : 2, reason }]);
    }
  });
});

/** Bytes of which no more than a few are given at a time. */
function slow(body: Buffer, cuts: readonly number[]): ByteSource {
  const whole = bytesInMemory(body);
  return {
    sizeBytes: body.length,
    read: (start, end) => whole.read(start, Math.max(end, start + (cuts[0] ?? 1))),
  };
}

describe('an object that is read in pieces', () => {
  it('gives all bytes, in order, with one piece read ahead', async () => {
    const store = memoryStore();
    const body = Buffer.alloc(2 * limits.pieceBytes + 5);
    for (let i = 0; i < body.length; i++) body[i] = (i * 31) & 255;
    const put = await store.put('datasets/a/b', body);
    const pinned = { key: 'datasets/a/b', etag: put.ok ? put.etag : '', sizeBytes: body.length };
    let gets = 0;
    store.hook = ({ operation, when }) => void (operation === 'get' && when === 'before' && gets++);
    const pieces: Uint8Array[] = [];
    for await (const piece of piecesOf(bytesOfObject(store, pinned))) {
      pieces.push(piece);
      expect(gets).toBe(Math.min(pieces.length + 1, 3));
    }
    expect(Buffer.concat(pieces).equals(body)).toBe(true);
  });

  it.each([
    ['lines that end as old spreadsheets write it', '1,2\r'],
    ['lines longer than a slice', `1,${'x'.repeat(100_000)}\n`],
  ])('is read no further ahead than its rows need: %s', async (_, line) => {
    const body = Buffer.alloc(3 * limits.pieceBytes, line);
    let asked = 0;
    const read = async (start: number, end: number) => {
      asked = Math.max(asked, end);
      return body.subarray(start, end);
    };
    for await (const { rows } of readRows({
      name: 'a.csv',
      bytes: { sizeBytes: body.length, read },
    })) {
      if (rows.length === 0) continue;
      // The piece that they are in, and the next one on its way.
      expect(asked).toBeLessThanOrEqual(2 * limits.pieceBytes);
      break;
    }
  });

  it.each([['changed', 'deleted']])(
    'says that it was %s or %s after it was pinned',
    async (...whats) => {
      for (const what of whats) {
        const store = memoryStore({ 'datasets/a/b': 'x\n1\n' });
        const [pinned] = await store.list('datasets/a/b');
        if (pinned === undefined) throw new Error('it is there');
        if (what === 'deleted') store.remove('datasets/a/b');
        else await store.put('datasets/a/b', Buffer.from('x'));
        const file = { name: 'datasets/a/b.csv', bytes: bytesOfObject(store, pinned) };
        await expect(together(readRows(file))).rejects.toThrow(
          `datasets/a/b was ${what} after the job began; start a new job`,
        );
      }
    },
  );
});
