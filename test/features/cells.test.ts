import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellsOf, cellsSchema } from '../../lib/features/cells.ts';
import { addCounts, createEncoder } from '../../lib/features/encoder.ts';
import { standardize } from '../../lib/features/scaling.ts';
import { statisticsOf } from '../../lib/features/statistics.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { scaling } from '../support/scaling.ts';

const cells = cellsOf(cellsSchema.parse({}));

describe('a cell', () => {
  it('is a word if its text is, whatever the case and the white space around it', () => {
    const character = fc.constantFrom(
      ...'nN/aA019.e+- \tİßk',
      '\u212a',
      '\u0011',
      'true',
      'False',
      '.0',
    );
    const text = fc.string({ unit: character, maxLength: 14 });
    const number = fc.oneof(fc.double(), fc.integer({ min: -20, max: 20 }));
    const law = fc.property(
      fc.array(fc.oneof(text, number.map(String)), { maxLength: 6 }),
      fc.array(fc.oneof(text, number, fc.bigInt(-9n, 9n), fc.boolean()), { maxLength: 60 }),
      (words, others) => {
        const reader = cellsOf({ missing: words, true: words, false: [] });
        const wordOf = (cell: unknown) =>
          (cells.text(cell) ?? (typeof cell === 'string' ? cell.trim() : undefined))?.toLowerCase();
        const known = new Set(words.map(wordOf));
        for (const cell of [...others, ...words, ...words.map(Number), ...others]) {
          const word = wordOf(cell);
          const isWord = word !== undefined && known.has(word);
          expect(reader.isMissing(cell), String(cell)).toBe(isWord || Number.isNaN(cell));
          if (typeof cell !== 'boolean')
            expect(reader.truth(cell), String(cell)).toBe(isWord || undefined);
        }
      },
    );
    fc.assert(law, { numRuns: 400 });
  });

  it.each([
    [['true', 'True', 'TRUE', ' yes ', 'Y', '1', '1.0', 1, 1n, true], true],
    [['false', 'False', 'FALSE', 'no', 'N', '0', '0.0', 0, 0n, false], false],
    [['maybe', '2', 2, 'truee', {}, [], 0.5], undefined],
  ])('written in some way is the truth value %$', (written, value) => {
    for (const cell of written) expect(cells.truth(cell), String(cell)).toBe(value);
  });

  it.each([
    [[1.5, '1.5', ' 1.5 ', '+1.5', '15e-1', '1.50'], 1.5],
    [[3, 3n, '3', '3.0', '03'], 3],
    [[true, 'true', 'TRUE'], 1],
    // Not normal in float32: 0 on every processor.
    [[1e-40, '1e-320', -1e-39], 0],
    [[new Date('1970-01-02T00:00:00Z')], 86_400],
    [['', '1,5', '0x10', 'Infinity', '1e999', '12%', '1 000', Number.NaN, {}, [1]], undefined],
  ])('written in some way is the number %$', (written, value) => {
    for (const cell of written) expect(cells.number(cell), String(cell)).toBe(value);
  });

  it.each([
    [['Ghent', ' Ghent', 'Ghent\t'], 'Ghent'],
    [[true, 'true', 'True', 'TRUE'], 'true'],
    [[7, 7n, '7', '7.0', '7.00'], '7'],
    [['007'], '007'],
    [[-0, 0, '0', '0.0'], '0'],
    [[1.5, '1.5'], '1.5'],
    [['', '   ', 'x'.repeat(257), Number.NaN, {}, [], null], undefined],
  ])('written in some way is the category %$', (written, value) => {
    for (const cell of written) expect(cells.text(cell), String(cell)).toBe(value);
  });

  it('is missing where there is nothing, null, NaN or a word for it', () => {
    for (const cell of [undefined, null, Number.NaN, '', ' ', 'NA', 'n/a', 'nan', 'NULL', 'None'])
      expect(cells.isMissing(cell), String(cell)).toBe(true);
    for (const cell of [0, false, '0', 'Nan Madol', {}, []])
      expect(cells.isMissing(cell)).toBe(false);
  });

  it('is the decimal that a column of float32 was made of', () => {
    const { text } = cellsOf(cellsSchema.parse({}));
    for (const number of [0.1, -0.7, 1234.56, 98765.4, 1e-7, 0.333333, 1.5, 16777.2])
      expect(text(Math.fround(number))).toBe(String(number));
    // What is written in few digits stays as it is written, in float32 or not.
    for (const number of [3469104.25, 0.0009765625, 0.123456789012, 1e21, 7])
      expect(text(number)).toBe(String(number));
    const before = cellsOf(cellsSchema.parse({}), true, false);
    expect(before.text(Math.fround(0.1))).toBe('0.10000000149011612');
  });

  it('is one value, however it is written', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(cells.number(String(value))).toBe(cells.number(value));
        expect(cells.text(String(value))).toBe(cells.text(value));
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const ways = [value, BigInt(value), String(value), ` ${value} `, `${value}.0`];
        for (const way of ways) expect(cells.text(way)).toBe(String(value));
      }),
    );
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        const texts = [cells.text(anything), cells.number(anything), cells.truth(anything)];
        expect(texts).toHaveLength(3);
      }),
    );
  });
});

describe('a spec', () => {
  const spec = defineSpec({
    model: 'words',
    task: 'binary',
    features: {
      age: { type: 'number', missing: -1 },
      town: { type: 'category', values: ['Ghent', 'True'], missing: 'nowhere' },
      strict: { type: 'number' },
    },
    label: { name: 'paid' },
    cells: { missing: ['?'], true: ['ja'], false: ['nein'] },
  });
  const encode = createEncoder(spec).encode;

  it('says what is missing, true and false, and what stands for it', () => {
    const features = { age: '?', town: '?', strict: '4' };
    const { samples, refused, unknown } = encode([
      { features, label: 'JA' },
      { features: { ...features, town: true }, label: 'nein' },
      { features, label: 'yes' },
      { features: { ...features, strict: '?' }, label: 'ja' },
      { features, label: '?' },
    ]);
    expect([...samples.raw]).toEqual([-1, 4, -1, 4]);
    expect([...samples.categories]).toEqual([0, 2]);
    expect([...samples.labels]).toEqual([1, 0]);
    expect(refused).toMatchObject([
      { index: 2, field: 'label', code: 'wrong-type' },
      { index: 3, field: 'features.strict', code: 'missing', reason: 'missing (found "?")' },
      { index: 4, field: 'label', code: 'missing' },
    ]);
    expect(unknown).toEqual({ town: 1 });
  });

  it('takes a declared value for itself, though it is a word for a missing one', () => {
    const regions = defineSpec({
      model: 'regions',
      task: 'multiclass',
      features: {
        region: { type: 'category', values: ['NA', 'EU'] },
        height: { type: 'number', missing: 5 },
      },
      label: { classes: ['None', 'some'] },
      cells: { missing: ['NA', 'None', '-999'] },
    });
    const { samples, refused } = createEncoder(regions).encode([
      { features: { region: 'NA', height: -999 }, label: 'None' },
      { features: { region: 'EU', height: '-999.0' }, label: 'some' },
    ]);
    expect(refused).toEqual([]);
    expect([...samples.categories]).toEqual([1, 2]);
    expect([...samples.raw]).toEqual([5, 5]);
    expect([...samples.labels]).toEqual([0, 1]);
  });

  it('counts unknown values of features whatever their names are', () => {
    const odd = defineSpec({
      model: 'odd',
      task: 'binary',
      features: Object.fromEntries([['constructor', { type: 'category' as const, values: ['a'] }]]),
    });
    const { unknown } = createEncoder(odd).encode([{ features: { constructor: 'b' }, label: 1 }]);
    expect(addCounts(addCounts({}, unknown), unknown)).toEqual({ constructor: 2 });
  });

  it('keeps numbers exact until they are standardised: epoch seconds can be told apart', () => {
    const clock = defineSpec({
      model: 'clock',
      task: 'regression',
      features: { time: { type: 'number' } },
    });
    const { encode: read, layout } = createEncoder(clock);
    const start = 1_790_000_000;
    const { samples } = read(
      Array.from({ length: 5 }, (_, i) => ({ features: { time: start + i }, label: 0 })),
    );
    const { numbers } = standardize(samples, statisticsOf(samples, layout), scaling(true));
    expect([...numbers].map((value) => Math.round(value * Math.sqrt(2)))).toEqual([
      -2, -1, 0, 1, 2,
    ]);
  });

  it('lets a column that has not varied contribute nothing', () => {
    const { encode: read, layout } = createEncoder(spec);
    const seen = read([{ features: { age: 5, town: 'a', strict: 1e6 }, label: 'ja' }]).samples;
    const next = read([{ features: { age: 6, town: 'a', strict: 3 }, label: 'ja' }]).samples;
    const { numbers } = standardize(next, statisticsOf(seen, layout), scaling(true, true));
    expect([...numbers].map(Math.abs)).toEqual([0, 0]);
  });

  it.each([['__proto__', /spec\.features: __proto__ cannot be the name of a feature/]])(
    'cannot name a feature %s',
    (name, reason) => {
      const features = JSON.parse(`{"${name}": {"type": "number"}, "x": {"type": "number"}}`);
      expect(() => defineSpec({ model: 'm', task: 'regression', features })).toThrow(reason);
    },
  );
});
