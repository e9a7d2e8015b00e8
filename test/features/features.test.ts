import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { allocateSamples, type EncodedSamples } from '../../lib/features/samples.ts';
import { standardize } from '../../lib/features/scaling.ts';
import { mergeStatistics, statisticsOf } from '../../lib/features/statistics.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { scaling } from '../support/scaling.ts';

const spec = defineSpec({
  model: 'm',
  task: 'multiclass',
  label: { classes: ['cat', '2'] },
  features: {
    size: { type: 'number' },
    colour: { type: 'category', values: ['red', 'true', '7'] },
    pixels: { type: 'vector', length: 2 },
    shop: { type: 'category', buckets: 16 },
  },
});

const layout = { numberWidth: 2, categoryCount: 0 };

function rowsOf(rows: readonly (readonly [number, number])[]): EncodedSamples {
  return { ...allocateSamples(rows.length, layout), raw: Float32Array.from(rows.flat()) };
}

const rows = fc.array(
  fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 0, max: 3 })),
  {
    minLength: 1,
  },
);

describe('the encoder', () => {
  const sample = {
    features: { size: 1.5, colour: 'red', pixels: [1, 2], shop: 'a' },
    label: 'cat',
  };

  it('puts numbers and categories in the order of the spec, and gives each known value its index', () => {
    const { samples } = createEncoder(spec).encode([
      sample,
      { ...sample, features: { ...sample.features, colour: true }, label: 2, weight: 3 },
      { ...sample, features: { ...sample.features, colour: 7 } },
      { ...sample, features: { ...sample.features, colour: 'green' } },
    ]);
    expect([...samples.raw.subarray(0, 3)]).toEqual([1.5, 1, 2]);
    expect([0, 2, 4, 6].map((i) => samples.categories[i])).toEqual([1, 2, 3, 0]);
    expect([...samples.labels]).toEqual([0, 1, 0, 0]);
    expect([...samples.weights]).toEqual([1, 3, 1, 1]);
  });

  it('never throws, and encodes or refuses every sample', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.record({ features: fc.anything(), label: fc.anything() }),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(anything, fc.constant(sample))), (raw) => {
        const { samples, accepted, refused } = createEncoder(spec).encode(raw);
        expect(samples.count).toBe(accepted.length);
        expect(accepted.length + refused.length).toBe(raw.length);
        expect(samples.raw.every((value) => Number.isFinite(value))).toBe(true);
        expect(samples.categories.every((index) => index >= 0 && index < 16)).toBe(true);
      }),
    );
  });

  it('does not take what a prototype offers for a feature', () => {
    const features = Object.create(sample.features);
    expect(createEncoder(spec).encode([{ features, label: 'cat' }]).refused[0]?.reason).toBe(
      'missing',
    );
  });
});

describe('feature statistics', () => {
  it('are the same, merged over parts, as over the whole', () => {
    fc.assert(
      fc.property(rows, rows, (a, b) => {
        const merged = mergeStatistics(
          statisticsOf(rowsOf(a), layout),
          statisticsOf(rowsOf(b), layout),
          layout,
        );
        const whole = statisticsOf(rowsOf([...a, ...b]), layout);
        expect(merged.count).toBe(whole.count);
        for (const column of [0, 1]) {
          expect(merged.mean[column]).toBeCloseTo(whole.mean[column] ?? 0, 6);
          expect(merged.squares[column]).toBeCloseTo(whole.squares[column] ?? 0, 3);
        }
      }),
    );
  });

  it('standardise to mean 0 and variance 1, and leave other columns alone', () => {
    const samples = rowsOf([
      [1, 5],
      [2, 5],
      [3, 6],
    ]);
    const { numbers } = standardize(samples, statisticsOf(samples, layout), scaling(true, false));
    expect([0, 2, 4].map((i) => numbers[i])).toEqual(
      [-Math.sqrt(1.5), 0, Math.sqrt(1.5)].map(Math.fround),
    );
    expect([1, 3, 5].map((i) => numbers[i])).toEqual([5, 5, 6]);
  });

  it('only centre a column that never varied', () => {
    const samples = rowsOf([
      [4, 0],
      [4, 0],
    ]);
    expect([
      ...standardize(samples, statisticsOf(samples, layout), scaling(true, true)).numbers,
    ]).toEqual([0, 0, 0, 0]);
  });
});
