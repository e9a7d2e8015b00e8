import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scalingOf } from '../../lib/features/columns.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { columnScales, standardize } from '../../lib/features/scaling.ts';
import {
  areSpreadsOf,
  emptySpread,
  mergeSpreads,
  quantileOf,
  type SpreadColumn,
  spreadOf,
} from '../../lib/features/spread.ts';
import { emptyStatistics, mergeStatistics, statisticsOf } from '../../lib/features/statistics.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const robust: SpreadColumn = { column: 0, by: 'robust' };
const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0, 1e9, 1e9 + 1, -1e-9),
);

/** The share of values below one, those that are equal to it counting half. */
const rankOf = (values: readonly number[], of: number) =>
  values.reduce((sum, each) => sum + (each < of ? 1 : each === of ? 0.5 : 0), 0) / values.length;

/** The spread of values that come in parts. */
const spreadIn = (parts: readonly (readonly number[])[]) =>
  parts
    .map((own) => spreadOf(robust, own.length, (i) => own[i] ?? 0))
    .reduce((sum, own) => mergeSpreads(robust, sum, own), emptySpread(robust));

describe('the spread of a column', () => {
  it('keeps all values, however they come', () => {
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 40 }), { maxLength: 30 }), (parts) => {
        const all = parts.flat();
        const merged = spreadIn(parts);
        expect(areSpreadsOf([robust], [merged])).toBe(true);
        expect(merged.counts.reduce((a, b) => a + b, 0)).toBeCloseTo(all.length, 6);
        if (all.length === 0) return;
        expect([...merged.bounds]).toEqual([Math.min(...all), Math.max(...all)]);
        expect(quantileOf(merged, 0)).toBeGreaterThanOrEqual(Math.min(...all));
        expect(quantileOf(merged, 1)).toBeLessThanOrEqual(Math.max(...all));
      }),
    );
  });

  it('knows quartiles to a few hundredths of all values', () => {
    const draws = Array.from({ length: 20_000 }, (_, i) =>
      Math.exp(3 * Math.sin(i * 7.1) + (i % 11)),
    );
    const merged = spreadIn(
      Array.from({ length: 500 }, (_, i) => draws.slice(i * 40, (i + 1) * 40)),
    );
    for (const share of [0.25, 0.5, 0.75])
      expect(Math.abs(rankOf(draws, quantileOf(merged, share)) - share)).toBeLessThan(0.05);
  });

  it('knows those of a whole shard at once', () => {
    const draws = Array.from({ length: 262_144 }, (_, i) => Math.tan(i * 1.7));
    const merged = spreadIn([draws]);
    expect(areSpreadsOf([robust], [merged])).toBe(true);
    expect(merged.counts.reduce((a, b) => a + b, 0)).toBeCloseTo(draws.length, 3);
    for (const share of [0.25, 0.5, 0.75])
      expect(Math.abs(rankOf(draws, quantileOf(merged, share)) - share)).toBeLessThan(0.03);
  });

  it('is exact for few different values', () => {
    const spread = spreadOf(robust, 4, (i) => [1, 2, 3, 4][i] ?? 0);
    expect([0.25, 0.5, 0.75].map((share) => quantileOf(spread, share))).toEqual([1.5, 2.5, 3.5]);
  });
});

describe('numbers that are scaled by their spread', () => {
  const features = {
    small: { type: 'number', standardize: 'minMax' },
    wild: { type: 'number', standardize: 'robust' },
    mostly: { type: 'number', standardize: 'robust' },
    usual: { type: 'number' },
  } as const;
  const spec = defineSpec({
    model: 'm',
    task: 'regression',
    features,
    optimizer: { type: 'sgd', rate: 1 },
  });
  const { layout, encode } = createEncoder(spec);
  const rows = (values: readonly (readonly [number, number, number])[]) =>
    encode(
      values.map(([small, wild, mostly]) => ({
        features: { small, wild, mostly, usual: wild },
        label: 0,
      })),
    ).samples;

  it('are between 0 and 1, or at a distance from the median that outliers do not shrink', () => {
    const samples = rows([
      [5, 1, 0],
      [7, 2, 0],
      [9, 3, 0],
      [6, 4, 0],
      [9, 1e6, 8],
    ]);
    const statistics = mergeStatistics(
      emptyStatistics(layout),
      statisticsOf(samples, layout),
      layout,
    );
    const { numbers } = standardize(samples, statistics, scalingOf(spec));
    const columnOf = (column: number) =>
      Array.from({ length: 5 }, (_, row) => numbers[row * layout.numberWidth + column] ?? 0);
    expect(columnOf(0)).toEqual([0, 0.5, 1, 0.25, 1]);
    expect(columnOf(1).slice(0, 4)).toEqual([-1, -0.5, 0, 0.5]);
    // Of which half are alike, the deviation says how far others are.
    const { scale } = columnScales(statistics, scalingOf(spec), true);
    expect(scale[2]).toBeCloseTo(1 / 3.2, 9);
    expect(columnOf(2)[0]).toBe(0);
  });

  it('have a greatest size of 1, and 0 where it was', () => {
    const sized = defineSpec({
      ...spec,
      features: { size: { type: 'number', standardize: 'maxAbs' } },
    });
    const encoder = createEncoder(sized);
    const scaledOf = (sizes: readonly number[]) => {
      const samples = encoder.encode(
        sizes.map((size) => ({ features: { size }, label: 0 })),
      ).samples;
      const own = statisticsOf(samples, encoder.layout);
      return [...standardize(samples, own, scalingOf(sized)).numbers];
    };
    expect(scaledOf([1, 0, -4, 2])).toEqual([0.25, 0, -1, 0.5]);
    expect(scaledOf([3, 6])).toEqual([0.5, 1]);
    expect(scaledOf([5, 5])).toEqual([0, 0]);
  });

  it('are 0 until they vary', () => {
    const samples = rows([[5, 5, 5]]);
    const statistics = statisticsOf(samples, layout);
    expect([...standardize(samples, statistics, scalingOf(spec)).numbers]).toEqual([0, 0, 0, 0]);
  });

  it('have no half-life', () => {
    const forgetting = { small: { ...features.small, halfLife: 9 } };
    expect(() => defineSpec({ ...spec, features: forgetting })).toThrow(
      'spec.features.small.halfLife: is of mean and variance; leave it out, or standardize: minMax',
    );
  });
});
