import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { rowWriter, writingOf } from '../../lib/cli/row-writer.ts';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { columnsOf, readRows } from '../../lib/datasets/rows.ts';
import { withDecimalPoint } from '../../lib/features/decimal-comma.ts';
import { hashIntegers } from '../../lib/features/hash.ts';

const fileOf = (content: string) => ({ name: 'a.csv', bytes: bytesInMemory(Buffer.from(content)) });

/** The rows of a file, with decimal commas as they are meant. */
async function rowsOf(content: string) {
  const all: Record<string, unknown>[] = [];
  for await (const { rows } of readRows({ ...fileOf(content), columns: 'all' }))
    for (const row of rows)
      all.push(
        Object.fromEntries(
          Object.entries(row).map(([name, cell]) => [name, withDecimalPoint(cell, rows)]),
        ),
      );
  return all;
}

/** The file with a column more, as `predict` writes it. */
async function withPredictions(content: string, predicted: readonly number[]): Promise<string> {
  const output = new PassThrough();
  const written = text(output);
  const columns = await columnsOf(fileOf(content));
  for await (const { rows } of readRows({ ...fileOf(content), columns: 'all' })) {
    const write = await rowWriter(
      output,
      [...columns, 'predicted'],
      writingOf(rows, new Set(columns)),
    );
    await write(Array.from(rows, (row, i) => ({ ...row, predicted: predicted[i] })));
  }
  output.end();
  return written;
}

const cells = ['1,5', '-0,25', '7', 'a', 'a,b', 'a;b', '"', 'x\ny', '', '1.5', ' 2 ', '1,000,5'];

describe('rows that are written beside predictions', () => {
  it.each([',', ';'])('are those of the file, with %s between cells', async (delimiter) => {
    const cellOf = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
    for (let seed = 0; seed < 60; seed++) {
      const drawn = (row: number, column: number) =>
        cells[hashIntegers(seed, row, column) % cells.length] ?? '';
      const lines = Array.from({ length: 5 }, (_, row) =>
        [0, 1, 2].map((column) => cellOf(drawn(row, column))).join(delimiter),
      );
      const content = `${['p', 'q', 'r'].join(delimiter)}\n${lines.join('\n')}\n`;
      const predicted = lines.map((_, i) => (i - 1) / 8);
      const before = await rowsOf(content);
      const after = await rowsOf(await withPredictions(content, predicted));
      expect(after).toEqual(before.map((row, i) => ({ ...row, predicted: String(predicted[i]) })));
    }
  });

  it('have a point in numbers where the file has', async () => {
    expect(await withPredictions('p;q\n1.5;a\n', [0.5])).toBe('p;q;predicted\n1.5;a;0.5\n');
    expect(await withPredictions('p;q\n1,5;a\n', [0.5])).toBe('p;q;predicted\n1,5;a;0,5\n');
    const named = await withPredictions('"p, q, r, s";t\n1;2\n', [0.5]);
    expect(named).toBe('"p, q, r, s";t;predicted\n1;2;0.5\n');
    expect(await withPredictions('p,q\n"1,5",a\n', [0.5])).toBe('p,q,predicted\n"1,5",a,0.5\n');
  });
});
