import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { layoutOf } from '../../lib/features/columns.ts';
import { createEncoder, type Encoding } from '../../lib/features/encoder.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** A draft of a file with these columns beside a label, row by row. */
async function draftOf(columns: Readonly<Record<string, (row: number) => unknown>>, rows = 2_000) {
  const names = Object.keys(columns);
  const lines = Array.from({ length: rows }, (_, row) =>
    [...names.map((name) => columns[name]?.(row)), Math.sin(row)].join(),
  );
  const bytes = bytesInMemory(Buffer.from(`${[...names, 'y'].join()}\n${lines.join('\n')}\n`));
  const draft = await draftSpec('m', { name: 'a.csv', bytes });
  const spec = defineSpec(draft.spec);
  const encoder = createEncoder(spec);
  const encodings: Encoding[] = [];
  for await (const { samples } of readSamples(spec, { name: 'a.csv', bytes }))
    encodings.push(encoder.encode(samples));
  return { ...draft, features: draft.spec.features, layout: layoutOf(spec), encodings };
}

describe('numbers of few values', () => {
  it.each<[string, (row: number) => unknown, number]>([
    ['hours', (row) => (row * 7) % 24, 24],
    ['ids as floats', (row) => `${row % 40}.0`, 40],
    ['shares', (row) => (row % 12) / 16, 12],
    ['some of which are missing', (row) => (row % 11 === 0 ? '' : row % 12), 13],
    ['written in two ways', (row) => (row % 2 === 0 ? `${row % 6}.0` : row % 6), 6],
    ['true and false', (row) => (row % 3 === 0 ? 'True' : 'false'), 2],
    ['yes and no', (row) => (row % 3 === 0 ? 'Yes' : 'no'), 2],
    ['in many spellings', (row) => ['yes', 'YES', 'True', 'no', 'No', '1'][row % 6], 2],
  ])('are learnt by their size, and each by itself: %s', async (_, cell, values) => {
    const { features, layout, encodings } = await draftOf({ x: cell, z: (row) => row / 7 });
    expect(features.x).toMatchObject({ type: 'number' });
    expect(features.x_value).toMatchObject({ type: 'cross', of: ['x'] });
    // No two share a row of the table.
    const rows = encodings.flatMap(({ samples }) => [...samples.categories]);
    expect([layout.categoryCount, new Set(rows).size]).toEqual([1, values]);
    expect(encodings.flatMap(({ refused }) => refused)).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, (row: number) => unknown>>, number?]>([
    ['many', { x: (row) => row % 65 }],
    ['measured', { x: (row) => (row % 40) / 10 }],
    ['rare', { x: (row) => row % 24 }, 400],
    [
      'rare in all',
      Object.fromEntries(
        Array.from({ length: 9 }, (_, i) => [`x${i}`, (row: number) => (row * (i + 1)) % 11]),
      ),
      300,
    ],
    [
      'of too many columns',
      Object.fromEntries(
        Array.from({ length: 17 }, (_, i) => [`x${i}`, (row: number) => (row * (i + 1)) % 19]),
      ),
    ],
    [
      'flags of too many columns',
      Object.fromEntries(
        Array.from({ length: 41 }, (_, i) => [
          `x${i}`,
          (row: number) => Number(row % (i + 2) === 0),
        ]),
      ),
    ],
    ['words', { x: (row) => ['yes', 'no', 'maybe'][row % 3] }],
    ['letters', { x: (row) => 'yn'[row % 2] }],
  ])('are learnt once: %s', async (_, columns, rows) => {
    const { features } = await draftOf(columns, rows);
    expect(Object.keys(features)).toEqual(Object.keys(columns));
    const areWords = Object.keys(columns).length === 1 && /[a-z]/.test(String(columns.x?.(1)));
    const type = areWords ? 'category' : 'number';
    expect(Object.values(features).map((feature) => feature.type)).toEqual(
      Object.keys(columns).map(() => type),
    );
  });

  it('leave a place for a value that is missing later', async () => {
    for (const values of [3, 7, 10, 24, 60]) {
      const { spec, encodings } = await draftOf({ x: (row) => row % values, z: (row) => row / 7 });
      const known = encodings.flatMap(({ samples }) => [...samples.categories]);
      const lacking = createEncoder(defineSpec(spec)).encode([{ features: { z: 1 }, label: 1 }]);
      expect(known).not.toContain(lacking.samples.categories[0]);
    }
  });

  it('are told of where words of true and false are among them', async () => {
    for (const word of ['true', 'No', 'FALSE']) {
      const { doubts } = await draftOf({ x: (row) => (row % 40 === 0 ? word : row) });
      expect(doubts.join('\n').toLowerCase()).toContain(
        `numbers "${word.toLowerCase()}" counts as`,
      );
    }
  });

  it('say that rows with another word will be refused', async () => {
    const { doubts } = await draftOf({ x: (row) => (row % 3 ? 'yes' : 'no'), z: (row) => row / 7 });
    expect(doubts.join('\n')).toContain(
      'x: words of true and false are learnt as 1 and 0, and rows',
    );
  });

  it('are no doubt any more where each is learnt by itself', async () => {
    const { doubts } = await draftOf({ x: (row) => row % 12 });
    expect(doubts.join()).not.toContain('few');
    const { doubts: others } = await draftOf({ x: (row) => row % 12 }, 150);
    expect(others.join()).toContain('x has only 12 numbers; if they are codes');
  });
});
