import fc from 'fast-check';
import { expect, it } from 'vitest';
import { weightedQuantile } from '../../lib/engine/experts/weighted-quantile.ts';

it('is the least number up to which there is such a share of all weight', () => {
  const pair = fc.tuple(
    fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true, noDefaultInfinity: true })),
    fc.integer({ min: 1, max: 5 }),
  );
  const pairs = fc.array(pair, { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(pairs, fc.integer({ min: 1, max: 15 }), (all, sixteenths) => {
      const quantile = sixteenths / 16;
      const total = all.reduce((sum, [, weight]) => sum + weight, 0);
      const upTo = (most: number) =>
        all.reduce((sum, [number, weight]) => sum + (number <= most ? weight : 0), 0);
      const numbers = all.map(([number]) => number).sort((a, b) => a - b);
      const wanted = numbers.find((number) => upTo(number) >= quantile * total);
      const found = weightedQuantile(
        Float64Array.from(all, ([number]) => number),
        Float64Array.from(all, ([, weight]) => weight),
        quantile,
      );
      expect(found === wanted).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(weightedQuantile(new Float64Array(), new Float64Array(), 0.5)).toBe(0);
});
