import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { readTable } from '../../lib/features/read-table.ts';
import { jsonWithSamples, samplesAt } from '../../lib/features/sample-json.ts';
import { SampleTable } from '../../lib/features/sample-table.ts';
import { tableOf } from '../../lib/features/table-of.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { comparable, labels, oneByOne, cell as word } from '../support/encodings.ts';

const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    '__proto__',
    'toJSON',
    'constructor',
    '2',
    '10',
    'features',
    '"',
    'é\n',
  ),
  fc.string({ unit: 'binary', maxLength: 3 }),
);
const text = fc.oneof(fc.constantFrom('', 'x', '\u2028', '\ud800', '"q"\\'), fc.string());
const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const cell: fc.Arbitrary<unknown> = fc.oneof(text, number, fc.boolean(), fc.constant(null));
const names = fc.uniqueArray(name, { maxLength: 5 });

function object(fields: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made = {};
  for (const [key, value] of fields)
    Object.defineProperty(made, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  return made;
}

/** Lists of samples that have all the same fields, and what becomes of one cell or field. */
const list = fc
  .record({
    features: names,
    order: fc.shuffledSubarray(['features', 'label', 'weight'], { minLength: 1 }),
    length: fc.integer({ min: 1, max: 24 }),
    draw: fc.infiniteStream(cell),
  })
  .map(({ features, order, length, draw }) => {
    const next = () => draw.next().value;
    return Array.from({ length }, () =>
      object(
        order.map((field) => [
          field,
          field === 'features' ? object(features.map((each) => [each, next()])) : next(),
        ]),
      ),
    );
  });

/** What is no cell of a table, or is written otherwise than it looks. */
const odd = fc.constantFrom<unknown>(
  undefined,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  [1],
  {},
  new Date(0),
  Object('boxed'),
  { toJSON: () => 7 },
  () => 1,
);

describe('a table of samples', () => {
  it('has the JSON of its list, to the byte, and is made again of its own', () => {
    let tables = 0;
    fc.assert(
      fc.property(list, (samples) => {
        const table = tableOf(samples);
        if (table === undefined) return;
        tables += 1;
        const texts = samples.map((sample) => JSON.stringify(sample));
        expect(table.texts()).toEqual(texts);
        expect([...table].map((sample) => JSON.stringify(sample))).toEqual(texts);
        expect(jsonWithSamples({ a: 1, samples: table })).toBe(JSON.stringify({ a: 1, samples }));
        const read = readTable(JSON.parse(JSON.stringify(table)));
        expect(read.ok && read.table.texts()).toEqual(texts);
        expect([...table].map((sample) => Object.getPrototypeOf(sample))).toEqual(
          samples.map(() => Object.prototype),
        );
      }),
      { numRuns: 1_000 },
    );
    expect(tables).toBeGreaterThan(100);
  });

  it('is made of no list that it has not the JSON of', () => {
    let none = 0;
    const changed = fc.tuple(list, fc.nat(), name, odd, fc.nat({ max: 4 }));
    fc.assert(
      fc.property(changed, ([samples, at, key, value, how]) => {
        const place = at % samples.length;
        const own = samples[place] ?? {};
        if (how === 0) delete own.label;
        else if (how === 1) own[key === '__proto__' ? 'x' : key] = value;
        else if (how === 2) Object.setPrototypeOf(own, { inherited: 1 });
        else if (how === 3) samples.splice(place, 1, value as typeof own);
        else own.features = object([...Object.entries(own.features ?? {}), [key, value]]);
        const table = tableOf(samples);
        const texts = Array.from(samples, (sample) => JSON.stringify(sample));
        if (table === undefined) none += 1;
        else expect(table.texts()).toEqual(texts);
      }),
      { numRuns: 1_000 },
    );
    expect(none).toBeGreaterThan(100);
    expect(tableOf(Array(20))).toBeUndefined();
  });

  it('has the samples that are picked of it', () => {
    fc.assert(
      fc.property(list, fc.array(fc.nat()), (samples, drawn) => {
        const table = tableOf(samples);
        if (table === undefined) return;
        const places = drawn.map((place) => place % samples.length);
        const picked = samplesAt(table, places);
        expect(picked).toBeInstanceOf(SampleTable);
        expect([...picked]).toEqual(places.map((place) => table.at(place)));
        expect(table.at(samples.length)).toBeUndefined();
        expect(table.at(-1)).toEqual(table.at(samples.length - 1));
      }),
    );
  });
});

describe('columns that came from outside', () => {
  it.each([
    [7, [], 'must be an object of columns (found 7)'],
    [[[1]], [], 'must be an object of columns (found [[1]])'],
    [{}, [], 'must have a column of cells'],
    [{ features: {} }, [], 'must have a column of cells'],
    [{ features: [1] }, ['features'], 'must be an object of columns (found [1])'],
    [{ features: { x: 1 } }, ['features', 'x'], 'must be a list of cells (found 1)'],
    [{ label: 'x' }, ['label'], 'must be a list of cells (found "x")'],
    [
      { features: { x: [1, 2] }, label: [1] },
      ['label'],
      'has 1 cells, where features.x has 2; each column has a cell for each sample',
    ],
    [
      { features: { x: [1], y: [] } },
      ['features', 'y'],
      'has 0 cells, where features.x has 1; each column has a cell for each sample',
    ],
    [
      { feature: { x: [1] } },
      [],
      'unknown field "feature"; allowed: features, label, weight, id, default',
    ],
  ])('%j are refused', (sent, path, reason) => {
    expect(readTable(sent)).toEqual({ ok: false, path, reason });
  });
});

describe('a table that is encoded', () => {
  it.each(Object.entries(labels))('is as its samples are one by one: %s', (_, declared) => {
    const spec = defineSpec({ model: 'm', ...declared, ignore: ['other'] });
    const [byColumn, byRow] = [createEncoder(spec), createEncoder(spec)];
    const value = fc.oneof(word, fc.constantFrom(0, -0, 1.5, 7, 4e38, true, null, [], {}, 'x'));
    const usual = [1, 2, 3, 'x', 'b', 'g', 1e9, 'w', 2];
    const named = ['n', 'filled', 'zeroed', 'known', 'hashed', 'grown', 'when', 'words', 'side'];
    const table = fc
      .record({
        length: fc.integer({ min: 1, max: 40 }),
        absent: fc.subarray(named, { maxLength: 2 }),
        extra: fc.subarray(['other', 'stranger', '__proto__'], { maxLength: 1 }),
        has: fc.record({ label: fc.constantFrom(true, true, true, false), weight: fc.boolean() }),
        without: fc.constantFrom(...Array(9).fill('nothing'), 'features', 'id'),
        draw: fc.infiniteStream(fc.tuple(fc.nat({ max: 30 }), value)),
      })
      .map(({ length, absent, extra, has, without, draw }) => {
        const cells = (often: unknown) =>
          Array.from({ length }, () => {
            const [choice, drawn] = draw.next().value ?? [];
            return choice === 0 ? drawn : often;
          });
        const columns = [...named, ...extra]
          .map((name, i) => ({ name, cells: cells(usual[i] ?? 1) }))
          .filter(({ name }) => !absent.includes(name));
        const all = [
          { name: 'features', columns },
          ...(has.label ? [{ name: 'label', cells: cells(1) }] : []),
          ...(has.weight ? [{ name: 'weight', cells: cells(2) }] : []),
          ...(without === 'id' ? [{ name: 'id', cells: cells('i') }] : []),
        ].filter(({ name }) => name !== without);
        return new SampleTable(all, all.length === 0 ? 0 : length);
      });
    let learnt = 0;
    fc.assert(
      fc.property(table, (samples) => {
        const expected = comparable(oneByOne(byRow, samples));
        expect(comparable(byColumn.encode(samples))).toEqual(expected);
        learnt += expected.accepted.length;
      }),
      { numRuns: 400 },
    );
    expect(learnt).toBeGreaterThan(500);
  });
});
