import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import type { Task } from '../../lib/features/task.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** Homes as people list them: dirty numbers, free texts, a price that is not always one. */
const homes = [
  'area,built,kind,description,price',
  ...Array.from({ length: 400 }, (_, i) =>
    [
      i % 50 === 0 ? 'unknown' : i % 40 === 0 ? '?' : 40 + (i % 90),
      i % 30 === 0 ? '' : 1950 + (i % 70),
      ['Flat', 'house', 'flat'][i % 3],
      i % 8 === 0 ? '' : `a home with ${i} views`,
      i % 60 === 0 ? 'on request' : 100_000 + i * 1_000,
    ].join(),
  ),
].join('\n');

describe('a draft', () => {
  it('takes a column of numbers for one, whatever words are in it', async () => {
    const file = { name: 'homes.csv', bytes: bytesInMemory(Buffer.from(homes)) };
    const { spec, left, doubts } = await draftSpec('homes', file);
    expect(spec.task).toBe('regression');
    expect(spec.features.area).toEqual({ type: 'number', missing: 'mean' });
    expect(spec.features.built).toEqual({ type: 'number', missing: 'mean' });
    expect(spec.features.description).toEqual({ type: 'text', buckets: 4_096, log: true });
    expect(left).toEqual([]);
    const all = doubts.join('\n');
    expect(all).toMatch(
      /area: \d+ of 400 values are no numbers \(unknown, \?\); they count as missing/,
    );
    expect(all).toMatch(/label: 7 of 400 values of price are no numbers \(on request\); such rows/);
    // The draft reads what it was made from: only homes without a price are refused.
    const { cells, ...rest } = spec;
    const declared = defineSpec({ ...rest, cells });
    for await (const { samples } of readSamples(declared, file)) {
      const { refused } = createEncoder(declared).encode(samples);
      expect(refused.map(({ field }) => field)).toEqual(Array.from({ length: 7 }, () => 'label'));
    }
  });

  const drafted = (name: string, text: string, labels?: readonly string[]) =>
    draftSpec('m', { name, bytes: bytesInMemory(Buffer.from(text)) }, labels && { labels });

  it('counts what rows of JSON leave out as missing', async () => {
    const lines = Array.from({ length: 90 }, (_, i) =>
      JSON.stringify({ x: (i * 7) % 31, ...(i > 40 && { late: i % 13 }), y: (i * i) % 17 }),
    );
    const { spec, doubts } = await drafted('a.jsonl', lines.join('\n'), ['y']);
    expect(spec.features.late).toEqual({ type: 'number', missing: 'mean' });
    expect(doubts).toContain('late: 41 missing values are learnt as the mean so far');
  });

  it('takes of a sample what is read of it, and no column beside', async () => {
    const lines = [1, 2, 3].map((x) => JSON.stringify({ features: { x }, y: x, label: x * x }));
    const { spec } = await drafted('a.jsonl', lines.join('\n'));
    expect(Object.keys(spec.features)).toEqual(['x']);
    expect(spec.label).toEqual({ name: 'label' });
    const weighed = [1, 2, 3].map((x) =>
      JSON.stringify({ label: x, features: { x, label: 7, odd: {} }, weight: x }),
    );
    const other = await drafted('a.jsonl', weighed.join('\n'));
    expect(other.spec).toMatchObject({
      features: { x: { type: 'number' } },
      ignore: ['label', 'odd'],
      label: { name: 'label' },
    });
    await expect(drafted('a.jsonl', '{"features":{"x":1},"late":true}')).rejects.toThrow(
      /--label: rows with features are samples, whose label is their field label/,
    );
  });

  it('says how many rows it could not read, and where names look like numbers', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => (i % 8 === 3 ? '1' : `${i},${(i * i) % 7}`));
    const { doubts } = await drafted('a.csv', ['1.5,2.5', ...rows].join('\n'));
    expect(doubts.join('\n')).toMatch(
      /5 of 40 rows, which cannot be read \(line 5: it has 1 value,/,
    );
    expect(doubts.join('\n')).toMatch(/names of the columns, 1\.5, 2\.5: .* without a header/);
  });

  it('predicts the last column that has a name, true or false in any spelling', async () => {
    const said = ['Yes', 'no', 'TRUE', 'F'];
    const rows = Array.from({ length: 40 }, (_, i) => `${i * 0.5},${said[(i * 3) % 4]},`);
    const { spec, doubts } = await drafted('a.csv', ['x,late,', ...rows].join('\n'));
    expect(spec).toMatchObject({ task: 'binary', label: { name: 'late' } });
    expect(doubts.join('\n')).toContain('late is read as true or false (');
  });

  it('leaves out what counts the rows, but no years', async () => {
    const rows = Array.from({ length: 250 }, (_, i) => [i + 1, 1_770 + i, (i * 37) % 101].join());
    const text = ['case,year,spots', ...rows].join('\n');
    const file = { name: 'spots.csv', bytes: bytesInMemory(Buffer.from(text)) };
    const { spec, left } = await draftSpec('spots', file);
    expect(left).toEqual([{ column: 'case', reason: 'it counts the rows, like an id' }]);
    expect(Object.keys(spec.features)).toEqual(['year']);
  });

  /** A column of 200 cells beside a number and the label. */
  const file = (cell: (i: number) => unknown, label: (i: number) => unknown = (i) => i / 7) => ({
    name: 'odd.jsonl',
    bytes: bytesInMemory(
      Buffer.from(
        Array.from({ length: 200 }, (_, i) =>
          JSON.stringify({ a: (i * 37) % 101, odd: cell(i), y: label(i) }),
        ).join('\n'),
      ),
    ),
  });

  it.each<[what: string, cell: (i: number) => unknown, reason: RegExp]>([
    ['objects', (i) => ({ k: i }), /objects, or lists that are not of numbers/],
    ['lists of texts', () => ['x', 'y'], /objects, or lists that are not of numbers/],
    ['long texts', (i) => 'x'.repeat(300 + i), /longer than 256 characters/],
    [
      'prices of two kinds',
      (i) => (i % 2 ? `${2 + i},100.50` : `${2 + i}.100,50`),
      /written as "2.100,50", "3,100.50"; write them like 2503.28/,
    ],
    [
      'times of no clock',
      (i) => `2024-01-05 25:${10 + (i % 50)}`,
      /dates are written as "2024-01-05/,
    ],
    ['days first', (i) => `${1 + (i % 28)}.02.2001`, /dates are written as .* 2024-01-31 can be/],
  ])('leaves out %s, and says why', async (_what, cell, reason) => {
    const { spec, left } = await draftSpec('odd', file(cell), { labels: ['y'] });
    expect(Object.keys(spec.features)).toEqual(['a']);
    expect(left).toEqual([{ column: 'odd', reason: expect.stringMatching(reason) }]);
  });

  it.each<[what: string, cell: (i: number) => unknown, feature: object, refused: number]>([
    ['long reviews', (i) => `good word${i % 9} `.repeat(60), { type: 'text' }, 0],
    ['days', (i) => `2024-01-${10 + (i % 9)}`, { parts: ['weekday', 'dayOfYear'] }, 0],
    ['times', (i) => `2024/01/${10 + (i % 9)} 10:${10 + (i % 50)}`, { type: 'timestamp' }, 0],
    ['vectors, some missing', (i) => (i % 10 === 0 ? null : [1, i]), { missing: 'mean' }, 0],
    ['vectors, some of them texts', (i) => (i % 10 === 0 ? 'x' : [1, i]), { length: 2 }, 20],
    ['the word missing', (i) => [null, 'missing', 'b'][i % 3], { values: ['b', 'missing'] }, 0],
    ['texts, some long', (i) => 'ab'.repeat(1 + (i % 4) * 100), { type: 'category' }, 100],
    ['large numbers', (i) => (i === 7 ? 1e39 : i / 3), { type: 'number' }, 1],
    ['true and false', (i) => (i % 2 ? 'True' : 'FALSE'), { type: 'number' }, 0],
    ['prices', (i) => (i % 9 ? `${2 + i},100.50` : i), { type: 'number' }, 0],
    ['prices with a sign', (i) => (i === 9 ? '?' : `$${i % 50}`), { type: 'number' }, 0],
    ['shares', (i) => `${i % 90} %`, { type: 'number' }, 0],
  ])('can learn %s, and says what is refused', async (_what, cell, feature, refused) => {
    const { spec, doubts } = await draftSpec('odd', file(cell), { labels: ['y'] });
    expect(spec.features.odd).toMatchObject(feature);
    const declared = defineSpec(spec);
    let found = 0;
    for await (const { samples } of readSamples(declared, file(cell)))
      found += createEncoder(declared).encode(samples).refused.length;
    expect(found).toBe(refused);
    const said = doubts.filter((doubt) => doubt.startsWith('odd: ') && doubt.includes('refused'));
    expect(said.some((doubt) => doubt.includes(`${refused} `))).toBe(refused > 0);
    expect(said.length > 0).toBe(refused > 0);
  });

  it.each<[what: string, cell: (i: number) => unknown, doubt: RegExp]>([
    ['seconds', (i) => 1.7e9 + 60 * i, /may be seconds since 1970; as \{"type": "timestamp"\}/],
    [
      'milliseconds',
      (i) => 1.7e12 + 61_000 * i,
      /may be milliseconds since 1970; as .*"unit": "ms"/,
    ],
    ['days of eight digits', (i) => 20240110 + (i % 20), /may be days as 20240131/],
  ])('says what numbers may be: %s', async (_what, cell, doubt) => {
    const { spec, doubts } = await draftSpec('odd', file(cell), { labels: ['y'] });
    expect(spec.features.odd).toEqual({ type: 'number' });
    expect(doubts).toContainEqual(expect.stringMatching(doubt));
  });

  it.each<[what: string, label: (i: number) => unknown, reason: string]>([
    ['an object', () => ({ k: 1 }), '--label: y has objects or lists'],
    ['a list', () => [1, 2], '--label: y has objects or lists'],
    ['a long text', () => 'x'.repeat(300), '--label: the texts of y have more than 256'],
    ['always the same', () => 'same', '--label: y is always "same"'],
    [
      'a price',
      (i) => (i % 2 ? '2,100.50' : `2.10${i % 9},50`),
      '--label: the numbers of y are written as',
    ],
  ])('is not made of a label that is %s', async (_what, label, reason) => {
    await expect(
      draftSpec(
        'odd',
        file(() => 1, label),
        { labels: ['y'] },
      ),
    ).rejects.toThrow(reason);
  });

  it.each<[task: Task, label: (i: number) => unknown, reason: string]>([
    ['regression', (i) => (i % 2 === 0 ? 'yes' : 'no'), '--task: y has no number'],
    ['binary', (i) => i % 3, '--task: y must be true or false, 1 or 0, yes or no (found'],
    ['multiclass', (i) => i, '--task: y must have 2 to 100 classes in 200 rows (found 200)'],
  ])('is of the task %s only where the labels can be', async (task, label, reason) => {
    await expect(
      draftSpec(
        'odd',
        file((i) => i, label),
        { labels: ['y'], task },
      ),
    ).rejects.toThrow(reason);
  });

  it('doubts numbers that are made of the label, and no others', async () => {
    const fee = file(
      (i) => 0.02 * ((i * 37) % 101) + 1,
      (i) => (i * 37) % 101,
    );
    const { doubts } = await draftSpec('odd', fee, { labels: ['y'] });
    const said = doubts.filter((doubt) => doubt.includes('may tell the label'));
    // (The column a is the label itself.)
    expect(said.map((doubt) => doubt.split(' ')[0]).sort()).toEqual(['a', 'odd']);
    const noise = await draftSpec(
      'odd',
      file((i) => (i * 13) % 7),
      { labels: ['y'] },
    );
    expect(noise.doubts.join()).not.toContain('may tell the label');
  });

  it('predicts several columns of numbers, none of which is taken for a feature', async () => {
    const lines = Array.from({ length: 60 }, (_, i) => {
      const wave = Math.sin(i);
      return { u: wave, b: 2 * wave, a: 100 * wave, c: i % 7 };
    });
    const bytes = bytesInMemory(Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')));
    const rows = { name: 'rows.jsonl', bytes };
    const { spec, doubts } = await draftSpec('two', rows, { labels: ['b', 'a'] });
    expect(spec).toMatchObject({ task: 'regression', label: { outputs: ['b', 'a'] } });
    expect(Object.keys(spec.features)).toEqual(['u', 'c']);
    const said = doubts.filter((doubt) => doubt.includes('goes up and down'));
    expect(said).toEqual([
      'u may tell the label: it goes up and down with b, as if made of it',
      'u may tell the label: it goes up and down with a, as if made of it',
    ]);
    for (const [labels, reason] of [
      [['b', 'b'], 'names a column twice'],
      [['b', 'none'], 'the file has no column none'],
    ] as const)
      await expect(draftSpec('two', rows, { labels })).rejects.toThrow(reason);
    await expect(draftSpec('two', rows, { labels: ['b', 'a'], task: 'binary' })).rejects.toThrow(
      'several labels are those of a regression',
    );
  });

  it.each([
    ['__proto__ cannot be the name of an output', ['__proto__', 'b']],
    [
      'Too big: expected array to have <=256 items (found 257)',
      Array.from({ length: 257 }, (_, i) => `y${i}`),
    ],
    ['Too big: expected string to have <=256 characters', ['y'.repeat(257), 'b']],
  ])('says what no outputs can be called: %s', async (reason, labels) => {
    const row = (value: number) =>
      [...labels, 'x'].map((_, i) => String(value * (i + 1) + (i % 3)));
    const csv = [[...labels, 'x'].join(','), ...[1, 2, 3, 5].map((each) => row(each).join(','))];
    const bytes = bytesInMemory(Buffer.from(csv.join('\n')));
    const rows = { name: 'rows.csv', bytes };
    await expect(draftSpec('odd', rows, { labels })).rejects.toThrow(reason);
  });

  it('doubts a number of nines that lies far out, and no other', async () => {
    const marked = await draftSpec(
      'odd',
      file((i) => (i % 20 === 0 ? -9999 : i / 3)),
      { labels: ['y'] },
    );
    expect(marked.doubts.join()).toContain('odd: -9999 is far from all others');
    const ages = await draftSpec(
      'odd',
      file((i) => i % 100),
      { labels: ['y'] },
    );
    expect(ages.doubts.join()).not.toContain('far from all others');
  });

  it('takes no word for a missing one that the label says, or that is true or false', async () => {
    for (const word of ['no', 'high']) {
      const words = file(
        (i) => (i % 25 === 0 ? word : i),
        (i) => (i % 2 === 0 ? word : 'other'),
      );
      const { spec, doubts } = await draftSpec('odd', words, { labels: ['y'] });
      expect(spec.cells).toBeUndefined();
      const said = doubts.join('\n');
      if (word === 'no') expect(said).toContain('odd: among its numbers "no" counts as 0; if such');
      else expect(said).toContain(`values are no numbers (${word}); such rows are refused`);
    }
  });
});
