import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it, vi } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import type { FilePlace } from '../../lib/datasets/formats/format.ts';
import { plainRecords } from '../../lib/datasets/formats/plain-lines.ts';
import { cutsOf, placeOfCut, readRows } from '../../lib/datasets/rows.ts';
import { reasonIf } from '../../lib/errors.ts';
import { delimitedText, parsedRecords } from '../support/delimited.ts';

// Chunks of two rows: places to read on from are many.
vi.mock('../../lib/limits.ts', async (original) => {
  const { limits, ...others } = await original<typeof import('../../lib/limits.ts')>();
  return { ...others, limits: { ...limits, chunkRows: 2 } };
});

async function read(name: string, body: Uint8Array, from?: FilePlace, to?: number) {
  const all = { rows: [] as unknown[], lines: [] as number[], bad: [] as unknown[] };
  const places: { readonly next: FilePlace; readonly rows: number; readonly bad: number }[] = [];
  for await (const chunk of readRows({ name, bytes: bytesInMemory(body), from, to })) {
    all.rows.push(...chunk.rows);
    all.lines.push(...chunk.lines);
    all.bad.push(...chunk.bad);
    if (chunk.next !== undefined)
      places.push({ next: chunk.next, rows: all.rows.length, bad: all.bad.length });
  }
  return { all, places };
}

/** From every place that a reader says it can be read on from, a file has the rest of its rows. */
async function expectRest(name: string, body: Uint8Array): Promise<number> {
  const whole = await read(name, body).catch(reasonIf('invalid'));
  // A header that names two columns alike is refused as a whole.
  if (typeof whole === 'string') {
    expect(whole).toContain('two columns are named');
    return 0;
  }
  const { all, places } = whole;
  for (const { next, rows, bad } of places) {
    const rest = await read(name, body, JSON.parse(JSON.stringify(next)));
    expect(rest.all).toEqual({
      rows: all.rows.slice(rows),
      lines: all.lines.slice(rows),
      bad: all.bad.slice(bad),
    });
  }
  return places.length;
}

/** Stretches of a file, each behind the one before it, have the rows of the whole. */
async function expectWhole(name: string, body: Uint8Array, stretchBytes: number): Promise<number> {
  const file = { name, bytes: bytesInMemory(body) };
  const whole = await read(name, body).catch(reasonIf('invalid'));
  if (typeof whole === 'string') return 0;
  const cuts = await cutsOf(file, stretchBytes);
  const all = { rows: [] as unknown[], lines: [] as number[], bad: [] as unknown[] };
  let end: FilePlace = { at: 0, line: 1 };
  let lines = 0;
  for (const [i, cut] of [undefined, ...cuts].entries()) {
    const place = cut === undefined ? undefined : await placeOfCut(file, cut);
    // A cut within a row is none: the stretch begins where the one before it ended.
    const from = place !== undefined && end.at !== place.at ? { ...end, line: 1 } : place;
    const before = from?.line === 1 ? lines : 0;
    const own = await read(name, body, from, cuts[i]);
    all.rows.push(...own.all.rows);
    all.lines.push(...own.all.lines.map((line) => line + before));
    const asWhole = (bad: unknown) => ({
      ...(bad as { line: number }),
      line: lineOf(bad) + before,
    });
    all.bad.push(...own.all.bad.map(asWhole));
    end = own.places.at(-1)?.next ?? from ?? end;
    lines = end.line + before - 1;
  }
  expect(all).toEqual(whole.all);
  return cuts.length;
}

const lineOf = (bad: unknown) => (bad as { line: number }).line;

const pieces = ['a', '1', ',', ';', '"', '""', '\n', '\n', '\r\n', '\r', ' ', 'ü', '𝄞', 'x,y'];
const hostileText = (own: readonly string[]) =>
  fc
    .array(fc.constantFrom(...pieces, ...own), { maxLength: 60, size: 'max' })
    .map((parts) => parts.join(''));

const mark = Buffer.from([0xef, 0xbb, 0xbf]);
const utf16 = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');
const encodings: Readonly<Record<string, (text: string) => Buffer>> = {
  plain: (text) => Buffer.from(text),
  'with a mark': (text) => Buffer.concat([mark, Buffer.from(text)]),
  gzip: (text) => gzipSync(Buffer.from(text)),
  zstd: (text) => zstdCompressSync(Buffer.from(text)),
  'UTF-16': utf16,
};

describe('a file that is read on from a place', () => {
  it.each(Object.keys(encodings))('has the rest of its rows: %s', async (encoding) => {
    const encode = encodings[encoding] ?? Buffer.from;
    let places = 0;
    const check = async (name: string, text: string) => {
      places += await expectRest(name, encode(text));
    };
    await fc.assert(
      fc.asyncProperty(
        hostileText(['1,2\n', '"c\nd",e\n']),
        hostileText(['{"x":1}\n', '{"x":[2]}']),
        async (table, lines) => {
          await check('a.csv', `x,y\n${table}`);
          await check('a.csv', table);
          await check('a.jsonl', lines);
        },
      ),
      { numRuns: 150 },
    );
    expect(places).toBeGreaterThan(500);
  });

  it('has the rest of its rows: Parquet', async () => {
    const folder = join(import.meta.dirname, 'parquet');
    let places = 0;
    for (const name of readdirSync(folder))
      places += await expectRest(name, readFileSync(join(folder, name)));
    expect(places).toBeGreaterThan(12);
  });
});

describe('a file that is cut into stretches', () => {
  it.each(Object.keys(encodings))('has the rows of the whole: %s', async (encoding) => {
    const encode = encodings[encoding] ?? Buffer.from;
    let cuts = 0;
    await fc.assert(
      fc.asyncProperty(
        hostileText(['1,2\n', '"c\nd",e\n']),
        hostileText(['{"x":1}\n', '{"x":[2]}']),
        fc.integer({ min: 1, max: 40 }),
        async (table, lines, stretchBytes) => {
          cuts += await expectWhole('a.csv', encode(`x,y\n${table}`), stretchBytes);
          cuts += await expectWhole('a.csv', encode(table), stretchBytes);
          cuts += await expectWhole('a.jsonl', encode(lines), stretchBytes);
        },
      ),
      { numRuns: 150 },
    );
    const isCut = encoding === 'plain' || encoding === 'with a mark';
    if (isCut) expect(cuts).toBeGreaterThan(1_000);
    else expect(cuts).toBe(0);
  });

  it('has the rows of the whole: Parquet', async () => {
    const data = Array.from({ length: 40 }, (_, i) => i * 3);
    const columnData = [{ name: 'x', data }];
    const body = Buffer.from(parquetWriteBuffer({ columnData, rowGroupSize: 7 }));
    expect(await expectWhole('a.parquet', body, 1)).toBe(5);
    expect(await expectWhole('a.parquet', body, 150)).toBeLessThan(5);
    expect(await expectWhole('a.parquet', body, 100_000)).toBe(0);
  });
});

describe('a cut in a table with cells of several lines', () => {
  it.each([1, 2, 7, 40])('is moved to the next row: %i lines', async (count) => {
    const cell = Array.from({ length: count }, (_, i) => `a line, with "quotes", ${i}`).join('\n');
    const row = (i: number) => `${i},"${cell.replaceAll('"', '""')}",yes\r\n`;
    const body = Buffer.from(
      `x,note,y\r\n${Array.from({ length: 400 }, (_, i) => row(i)).join('')}`,
    );
    const ends = [...body.toString().matchAll(/yes\r\n/g)];
    const starts = new Set(ends.map(({ index }) => index + 5));
    const file = { name: 'a.csv', bytes: bytesInMemory(body) };
    const cuts = await cutsOf(file, body.length / 100);
    const places = await Promise.all(cuts.map((cut) => placeOfCut(file, cut)));
    expect(places.filter(({ at }) => !starts.has(at))).toEqual([]);
    expect(places.length).toBe(99);
  });
});

describe('regular records of a delimited text', () => {
  it('are those that the parser makes of them', async () => {
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(delimitedText(0, 4), async ({ bytes, delimiter }) => {
        const records = plainRecords(bytes, delimiter);
        plain += records.length;
        if (records.length === 0) return;
        // What comes behind them may be none of the parser's.
        const whole = bytes.subarray(0, records.at(-1)?.bytes);
        const expected = parsedRecords(whole, delimiter);
        for (const [i, { cells: own, bytes: end }] of records.entries())
          expect({ own, end }).toEqual({ own: expected[i]?.record, end: expected[i]?.info.bytes });
      }),
      { numRuns: 2_000 },
    );
    expect(plain).toBeGreaterThan(2_000);
  });
});
