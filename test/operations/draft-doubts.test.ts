import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const drafted = (name: string, lines: readonly string[], labels?: readonly string[]) =>
  draftSpec(
    'm',
    { name, bytes: bytesInMemory(Buffer.from(lines.join('\n'))) },
    labels && { labels },
  );

describe('what a draft doubts', () => {
  it.each([
    ['round ones', (i: number) => `${1 + i}.500`, true],
    ['beside whole ones', (i: number) => (i % 3 === 0 ? `${900 + i}` : `1.${100 + i}`), true],
    ['of a measure', (i: number) => `${1 + i}.${101 + ((i * 37) % 800)}`, false],
    ['shares', (i: number) => `0.${100 + i}`, false],
    ['a half among them', (i: number) => (i === 3 ? '2.5' : '1.500'), false],
  ])('are points that may be of thousands: %s', async (_name, price, isTold) => {
    const rows = Array.from({ length: 40 }, (_, i) => `${price(i)};${i % 2}`);
    const { doubts } = await drafted('a.csv', ['Preis;verkauft', ...rows]);
    expect(doubts.some((each) => /^Preis: .* are of thousands/.test(each))).toBe(isTold);
  });

  const rowsOf = (row: (i: number) => readonly unknown[], columns: string) => [
    columns,
    ...Array.from({ length: 120 }, (_, i) => row(i).join(';')),
  ];

  it.each<[string, (i: number) => unknown, string?]>([
    ['one in ten is large', (i) => (i % 10 === 0 ? 900 + i : 1 + (i % 7) / 9), '96.7'],
    ['most are nothing', (i) => (i % 5 === 0 ? i : 0), '11.5'],
    ['they have a tail', (i) => 1.05 ** i],
    ['they are far from 0', (i) => 1_000 + ((i * 7) % 31)],
  ])('is that the mean of labels says what few of them are: %s', async (_name, label, mean) => {
    const rows = Array.from({ length: 120 }, (_, i) => `${i % 9};${label(i)}`);
    const { doubts } = await drafted('a.csv', ['x;cost', ...rows]);
    const told = doubts.find((each) => each.includes('"quantile": 0.5'));
    if (mean === undefined) expect(told).toBeUndefined();
    else expect(told).toContain(`its mean is ${mean}, which a model predicts`);
  });

  it('are labels that are numbered as classes are', async () => {
    const taskOf = async (label: (i: number) => unknown) => {
      const { spec, doubts } = await drafted(
        'a.csv',
        rowsOf((i) => [i / 7, label(i)], 'x;y'),
      );
      return [spec.task, doubts.some((each) => each.includes('taken for classes'))];
    };
    expect(await taskOf((i) => i % 10)).toEqual(['multiclass', true]);
    expect(await taskOf((i) => [0, 1, 1, 2][i % 4])).toEqual(['multiclass', true]);
    // Grades, counts, what begins elsewhere, and what has parts.
    expect(await taskOf((i) => 1 + (i % 5))).toEqual(['regression', false]);
    expect(await taskOf((i) => Math.floor(-2 * Math.log((i + 0.5) / 120)))).toEqual([
      'regression',
      false,
    ]);
    expect(await taskOf((i) => 2 * (i % 5))).toEqual(['regression', false]);
    expect(await taskOf((i) => (i % 5) / 2)).toEqual(['regression', false]);
  });

  it('are none where it is said that numbers are classes', async () => {
    const lines = rowsOf((i) => [i / 7, 1 + (i % 3)], 'x;y');
    const digits = { name: 'a.csv', bytes: bytesInMemory(Buffer.from(lines.join('\n'))) };
    const { spec } = await draftSpec('m', digits, { labels: ['y'], task: 'multiclass' });
    expect(spec).toMatchObject({ task: 'multiclass', label: { classes: ['1', '2', '3'] } });
    const samples = [1, 2, 3].map((label) => ({ features: { x: 7 }, label }));
    const { refused } = createEncoder(defineSpec(spec)).encode(samples);
    expect(refused).toEqual([]);
  });

  it('are how numbers are written, where that is seen', async () => {
    const of = async (
      cell: (i: number) => string,
      label: (i: number) => unknown = (i) => (i * 37) % 101,
    ) => {
      const lines = rowsOf((i) => [cell(i), label(i), i % 11], 'price;y;b');
      const { spec, doubts } = await drafted('a.csv', lines, ['y']);
      const own = defineSpec(spec);
      const encoder = createEncoder(own);
      const values: number[] = [];
      let refused = 0;
      for await (const { samples } of readSamples(own, {
        name: 'a.csv',
        bytes: bytesInMemory(Buffer.from(`${lines.join('\n')}\n`)),
      })) {
        const encoded = encoder.encode(samples);
        refused += encoded.refused.length;
        values.push(...encoded.samples.raw.filter((_, at) => at % 2 === 0));
      }
      return { spec, doubts, values, refused };
    };
    // Prices with thousands, of Germans: three digits behind a point are no cents.
    const euros = await of((i) => (i % 3 ? `${500 + i} €` : `1.${100 + i} €`));
    expect(euros.spec.cells).toEqual({ numbers: '1.234,5' });
    expect(euros.values.slice(0, 2)).toEqual([1_100, 501]);
    expect(euros.doubts.join()).toContain('so "1.100 €" is 1100');
    // A few among plain ones are read, too, and are no words for missing values.
    const few = await of((i) => (i % 40 === 7 ? `"1,${100 + i}.25"` : `${100 + i}`));
    expect(few.spec.cells).toEqual({ numbers: '1,234.5' });
    expect(few.values[7]).toBe(1_107.25);
    expect([euros.refused, few.refused]).toEqual([0, 0]);
    // Where they are names, they stay what they are.
    const shares = await of(
      (i) => `${i}`,
      (i) => `${i % 2} %`,
    );
    expect(shares.refused).toBe(0);
    const codes = await of((i) => (i % 9 === 0 ? `1,00${i % 5}` : `00${i % 8}`));
    expect(codes.refused).toBe(0);
    expect(codes.spec.features.price).toMatchObject({ type: 'category' });
  });

  it('are many columns of a few numbers each, in one line', async () => {
    const grey = (columns: number) =>
      rowsOf(
        (i) => [...Array.from({ length: columns }, (_, at) => (i * (at + 3)) % 17), i / 7],
        [...Array.from({ length: columns }, (_, at) => `p${at}`), 'y'].join(';'),
      );
    const of = async (columns: number) =>
      (await drafted('a.csv', grey(columns))).doubts.filter((each) =>
        /if they are codes/.test(each),
      );
    expect(await of(3)).toHaveLength(3);
    expect(await of(12)).toEqual([
      'p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 and 2 more have no more than 17 numbers each; if ' +
        'they are codes, make them categories',
    ]);
  });

  it('are numbers that are written like codes', async () => {
    const lines = rowsOf(
      (i) => [`0${1_000 + (i % 9)}`, `${7e6 + 37 * i}`, i % 2],
      'plz;customer;y',
    );
    const { spec, doubts } = await drafted('a.csv', lines);
    expect(spec.features.plz).toMatchObject({ type: 'category' });
    expect(spec.features.plz).toHaveProperty('values', expect.arrayContaining(['01003']));
    expect(doubts.join()).toMatch(/plz: its numbers are written like codes \("01000", "01001"\)/);
    expect(doubts.join()).toMatch(/customer: no two of its whole numbers are alike/);
    const phones = rowsOf((i) => [`0${1_000 + i}`, i % 7, i % 2], 'phone;x;y');
    const { left } = await drafted('a.csv', phones);
    expect(left).toEqual([{ column: 'phone', reason: 'every row has its own value, like an id' }]);
    const codes = rowsOf((i) => [i % 7, `0${i % 3}`], 'x;code');
    expect((await drafted('a.csv', codes)).spec.label?.classes).toEqual(['00', '01', '02']);
  });

  it('gives values places of their own, as many as twice those that were seen', async () => {
    const drawn = async (values: number) => {
      const lines = Array.from({ length: 3 * values }, (_, i) => `v${i % values},${i % 2}`);
      return (await drafted('a.csv', ['shop,y', ...lines])).spec.features.shop;
    };
    const common = { type: 'category', dimensions: 16 };
    expect(await drawn(300)).toEqual({ ...common, vocabulary: { size: 1_024, admitAfter: 1 } });
    expect(await drawn(3_000)).toEqual({ ...common, buckets: 8_192 });
  });

  it('are values that differ in capital letters alone', async () => {
    const lines = rowsOf((i) => [['Köln', 'köln', 'Bonn'][i % 3], i % 2], 'town;y');
    expect((await drafted('a.csv', lines)).doubts).toContain(
      'town: "Köln", "köln" differ in capital letters alone, and are learnt as two values',
    );
    const labelled = rowsOf((i) => [i % 7, ['Bug', 'Ask', 'bug'][i % 3]], 'x;queue');
    expect((await drafted('a.csv', labelled)).doubts).toContain(
      'label: "Bug", "bug" differ in capital letters alone, and are learnt as two classes',
    );
  });

  it('are none of columns that are left out', async () => {
    const lines = rowsOf((i) => [i, i % 7, 3 * i], 'count;x;y');
    const { left, doubts } = await drafted('a.csv', lines);
    expect(left.map(({ column }) => column)).toEqual(['count']);
    expect(doubts.join()).not.toContain('count may tell');
  });

  it('are months that are no numbers', async () => {
    const lines = rowsOf(
      (i) => [`${String(1 + (i % 12)).padStart(2, '0')}.2025`, i % 7, i % 2],
      'm;x;y',
    );
    const [only] = (await drafted('a.csv', lines)).left;
    expect(only?.reason).toMatch(/^its dates are written as "01.2025", "02.2025"; /);
  });

  it('are lists, a few of which are shorter', async () => {
    const lines = Array.from({ length: 60 }, (_, i) =>
      JSON.stringify({ v: i === 7 ? [1] : [i, 2], y: i % 3 }),
    );
    const { spec, doubts } = await drafted('a.jsonl', lines, ['y']);
    expect(spec.features.v).toEqual({ type: 'vector', length: 2, standardize: true });
    expect(doubts).toContain('v: 1 row has no such list of numbers; such rows are refused');
    const many = lines.map((line, i) => (i % 2 === 0 ? line.replace(',2]', ',2,3]') : line));
    await expect(drafted('a.jsonl', many, ['y'])).rejects.toThrow(
      'v: its lists differ in length: 30 of 3, 29 of 2, 1 of 1',
    );
  });

  it.each([
    ['Ja', 'nein', { true: 'ja', false: 'nein' }],
    ['No', 'sí', { true: 'sí', false: 'no' }],
    ['kept', 'lost', undefined],
  ])('is what is true of %s and %s', async (one, other, truths) => {
    const lines = rowsOf((i) => [i % 7, i % 3 === 0 ? one : other], 'x;y');
    const { spec } = await drafted('a.csv', lines);
    expect(spec.task).toBe(truths ? 'binary' : 'multiclass');
    expect(spec.cells?.true?.at(-1)).toBe(truths?.true);
    expect(spec.cells?.false?.at(-1)).toBe(truths?.false);
    const { encode } = createEncoder(defineSpec(spec));
    expect(encode([{ features: { x: 1 }, label: one }]).refused).toEqual([]);
  });

  it('are times that are missing', async () => {
    const lines = Array.from({ length: 60 }, (_, i) => {
      const at = new Date(1.7e12 + 5e6 * i).toISOString();
      return JSON.stringify({ ...(i % 20 > 0 && { at }), y: i % 3 });
    });
    const { doubts } = await drafted('a.jsonl', lines, ['y']);
    expect(doubts).toContain('at: 3 missing values are learnt as the mean so far');
  });
});

describe('a file that no spec can be drafted from', () => {
  it('is told beside a line that cannot be read', async () => {
    const lines = ['{"x": 1, "y": 2}', '{"x": ', '{"x": 2, "y": 3}'];
    await expect(drafted('a.jsonl', lines, ['z'])).rejects.toThrow(
      /--label: the file has no column z .*; 1 of 3 rows, which cannot be read \(line 2: /,
    );
  });

  it('is told to have the label alone', async () => {
    await expect(drafted('a.csv', ['y', '1', '2'])).rejects.toThrow(
      'a.csv: it has no column beside the label to learn from',
    );
    await expect(drafted('a.csv', ['2025 Shop', ';;', 'id;y', '1;2'])).rejects.toThrow(
      'the first line names the columns (found "2025 Shop", one alone): delete lines above it',
    );
    const labels = ['x;y', '1;kept', '2;lost'];
    const bytes = bytesInMemory(Buffer.from(labels.join('\n')));
    await expect(draftSpec('m', { name: 'a.csv', bytes }, { task: 'binary' })).rejects.toThrow(
      'write "task": "binary" with "cells": {"true": ["kept"], "false": ["lost"]}',
    );
    await expect(drafted('a.csv', [',y', '1,1', '2,0'])).rejects.toThrow(
      'a.csv: no column is left to learn from (one without a name: it has no name)',
    );
  });
});
