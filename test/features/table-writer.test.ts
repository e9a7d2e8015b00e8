import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { CellIndex } from '../../lib/features/cell-index.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { plainNumber } from '../../lib/features/plain-number.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const numbers = ['0', '-0', '+1.50', '3', '007', '.5', '5.', '1e3', '-2.25E-2', '1e-60', '4e38'];
const words = ['', 'NA', 'null', 'true', 'FALSE', 'yes', '1.0', 'x', 'é', '"q, q"', '"', '1,5'];
const others = [
  '2024-02-29',
  '2024-01-01T10:00:00Z',
  '"a ""b"""',
  'y'.repeat(70),
  ' 8 ',
  '\u00a09',
];
const cell = fc.oneof(
  fc.constantFrom(...numbers),
  fc.constantFrom(...words),
  fc.constantFrom(...others),
  fc.integer({ min: 0, max: 40 }).map(String),
  fc.double({ noNaN: true }).map(String),
);

const features: SpecInput['features'] = {
  n: { type: 'number' },
  filled: { type: 'number', missing: 'mean', log: true },
  known: { type: 'category', values: ['x', '1', 'null', 'true'], dimensions: 2 },
  hashed: { type: 'category', buckets: 64, missing: 'none', dimensions: 2 },
  grown: { type: 'category', vocabulary: { size: 4 }, missing: 'none', dimensions: 2 },
  when: { type: 'timestamp', parts: ['hour', 'elapsed'], missing: '2020-01-01' },
  words: { type: 'text', buckets: 16, missing: 'nothing' },
  crossed: { type: 'cross', of: ['hashed', 'filled'], buckets: 32, dimensions: 2 },
  thrice: { type: 'cross', of: ['hashed', 'known', 'grown'], buckets: 32, dimensions: 2 },
};

const mean = {
  type: 'targetMean' as const,
  of: ['hashed'],
} satisfies SpecInput['features'][string];
const labels = {
  regression: { task: 'regression', features: { ...features, mean } },
  binary: { task: 'binary', features: { ...features, mean } },
  classes: { task: 'multiclass', features, label: { classes: ['x', '1', 'null'] } },
  growing: { task: 'multiclass', features, label: { maxClasses: 9 } },
  'missing numbers': { task: 'binary', features, cells: { missing: ['', '3', '-0.0225'] } },
} satisfies Readonly<Record<string, Omit<SpecInput, 'model'>>>;

const columns = Object.keys(features).filter((name) => !/crossed|thrice/.test(name));

describe('rows that are encoded column by column', () => {
  it.each(Object.entries(labels))('are as rows one by one: %s', async (_, declared) => {
    const spec = defineSpec({ model: 'm', ...declared });
    // Each of them remembers what it has read before.
    const [byColumn, byRow] = [createEncoder(spec), createEncoder(spec)];
    let rows = 0;
    const usual = ['1', '2', 'x', 'b', 'g', '2024-01-01', 'w', '1'];
    const line = fc
      .tuple(fc.array(fc.tuple(fc.nat({ max: 8 }), cell), { maxLength: 3 }), cell)
      .map(([changes, weight]) => {
        const own = [...usual, /^[1-9]\d?$/.test(weight) ? weight : ''];
        for (const [place, changed] of changes) own[place] = changed;
        return own.join();
      });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 30 }), async (lines) => {
        const body = Buffer.from(`${columns.join()},label,weight\n${lines.join('\n')}\n`);
        const file = { name: 'a.csv', bytes: bytesInMemory(body) };
        for await (const { samples } of readSamples(spec, file)) {
          const expected = byRow.encode([...samples]);
          expect(byColumn.encode(samples)).toEqual(expected);
          rows += expected.accepted.length;
        }
      }),
      { numRuns: 400 },
    );
    expect(rows).toBeGreaterThan(1_500);
  });
});

describe('cells that have numbers', () => {
  it('have the same where their bytes are the same, whatever their length', () => {
    const index = new CellIndex();
    const known = new Map<string, number>();
    const key = fc.oneof(fc.string({ maxLength: 9 }), fc.constantFrom('', '\0', '\0\0', 'a'));
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 8 }), (text, times) => {
        const bytes = Buffer.from(`..${text.repeat(times)}..`);
        const own = bytes.toString('latin1', 2, bytes.length - 2);
        const number = index.numberOf(bytes, 2, bytes.length - 2);
        expect(number).toBe(own.length > 64 ? -1 : (known.get(own) ?? known.size));
        if (number >= 0) known.set(own, number);
      }),
      { numRuns: 5_000 },
    );
    expect(index.size).toBe(known.size);
    expect(known.size).toBeGreaterThan(1_000);
  });
});

describe('a number that is written in a plain way', () => {
  it('is the one that JavaScript reads, to the last bit', () => {
    const digits = fc.stringMatching(/^\d{1,12}$/);
    const plain = fc
      .tuple(fc.constantFrom('', '-', '+'), digits, fc.option(digits))
      .map(([sign, whole, rest]) => sign + whole + (rest === null ? '' : `.${rest}`));
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(plain, cell), (text) => {
        const bytes = Buffer.from(text);
        const number = plainNumber(bytes, 0, bytes.length, false);
        if (Number.isNaN(number)) return;
        expect(number).toBe(Number(text));
        read += 1;
      }),
      { numRuns: 10_000 },
    );
    expect(read).toBeGreaterThan(3_000);
  });
});
