import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextTable } from '../../lib/datasets/formats/text-table.ts';
import { delimitedText, parsedRecords } from '../support/delimited.ts';

const room = { rows: 1_000, sizeBytes: 1_000_000, to: Number.POSITIVE_INFINITY };
const header = ['a', 'b', 'c'];

/** What is taken of a text is what the parser makes of that part of it. */
function expectRows(text: Buffer, names: readonly string[], delimiter: string) {
  const table = new TextTable({ header: names, delimiter });
  const sizeBytes = table.take(text, room);
  const records = parsedRecords(text.subarray(0, sizeBytes), delimiter).map(({ record }) => record);
  const rows = records.map((record) =>
    Object.fromEntries(names.map((name, place) => [name, record[place] ?? ''])),
  );
  expect([...table]).toEqual(rows);
  expect(records.every((record) => record.slice(names.length).join('') === '')).toBe(true);
  for (const name of names) {
    const column = table.column(name);
    const cells = column?.kind === 'text' ? rows.map((_, row) => column.textOf(row)) : [];
    expect(cells).toEqual(rows.map((row) => row[name]));
  }
  return { sizeBytes, rows: rows.length };
}

describe('rows that are taken as they lie in a text', () => {
  it('are those that the parser makes of it', () => {
    let rows = 0;
    const width = fc.integer({ min: 1, max: 3 });
    const text = width.chain((columns) =>
      fc.tuple(
        fc.oneof(delimitedText(columns, columns), delimitedText(0, 4)),
        fc.constant(columns),
      ),
    );
    fc.assert(
      fc.property(text, ([{ bytes, delimiter }, columns]) => {
        for (let at = 0; at < bytes.length; ) {
          const rest = bytes.subarray(at);
          const taken = expectRows(rest, header.slice(0, columns), delimiter);
          rows += taken.rows;
          at += taken.sizeBytes + Math.max(1, rest.indexOf('\n', taken.sizeBytes) + 1);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(rows).toBeGreaterThan(1_000);
  });

  it('are those, however long the text and however rare what is not plain', () => {
    const lines = fc.array(delimitedText(2, 2), { minLength: 3, maxLength: 6 });
    const plain = fc.array(fc.stringMatching(/^[a-z0-9]{0,40},[a-z0-9 é]{0,3}x\r?\n$/), {
      minLength: 1,
      maxLength: 50,
    });
    const places = fc.array(fc.nat(5_000), { maxLength: 40 });
    let taken = 0;
    fc.assert(
      fc.property(lines, plain, places, (odd, usual, where) => {
        const isOdd = new Set(where);
        const text = Array.from({ length: 4_000 }, (_, at) =>
          isOdd.has(at)
            ? odd[at % odd.length]?.bytes.toString().replaceAll(/[;\t]/g, ',')
            : usual[at % usual.length],
        ).join('');
        const bytes = Buffer.from(text);
        const table = new TextTable({ header: ['a', 'b'], delimiter: ',' });
        const most = { rows: 10_000, sizeBytes: bytes.length, to: bytes.length };
        const sizeBytes = table.take(bytes, most);
        const records = parsedRecords(bytes.subarray(0, sizeBytes), ',');
        expect(table.length).toBe(records.length);
        expect([...table].map(({ a, b }) => [a, b])).toEqual(
          records.map(({ record }) => [record[0], record[1]]),
        );
        taken += table.length;
      }),
      { numRuns: 40 },
    );
    expect(taken).toBeGreaterThan(10_000);
  });

  it('end where there is no more room, or where others begin', () => {
    const bytes = Buffer.from('1,2\r\n3,"4"\n5\n6,7\n');
    const take = (own: Partial<typeof room>) => {
      const table = new TextTable({ header: ['x', 'y'], delimiter: ',' });
      return { bytes: table.take(bytes, { ...room, ...own }), rows: table.length };
    };
    expect(take({})).toEqual({ bytes: 11, rows: 2 });
    expect(take({ rows: 1 })).toEqual({ bytes: 5, rows: 1 });
    expect(take({ sizeBytes: 1 })).toEqual({ bytes: 5, rows: 1 });
    expect(take({ to: 5 })).toEqual({ bytes: 5, rows: 1 });
    expect(take({ to: 6 })).toEqual({ bytes: 11, rows: 2 });
  });
});
