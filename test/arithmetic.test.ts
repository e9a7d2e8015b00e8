import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosineOfPi, decayOf, exponential, logarithm, wholePower } from '../lib/arithmetic.ts';

describe('arithmetic that is the same everywhere', () => {
  it('is as exact as that of Math', () => {
    fc.assert(
      fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => {
        expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThan(5e-16);
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (x) => {
        expect(Math.abs(cosineOfPi(x) - Math.cos(Math.PI * x))).toBeLessThan(5e-16);
      }),
    );
    fc.assert(
      fc.property(fc.double({ min: 2 ** -1_022, max: 1e308, noNaN: true }), (x) => {
        const exact = Math.log(x);
        expect(Math.abs(logarithm(x) - exact)).toBeLessThanOrEqual(5e-16 * Math.abs(exact));
      }),
    );
    expect(logarithm(1)).toBe(0);
    expect(exponential(-1_000)).toBe(0);
    expect(exponential(1_000)).toBe(Number.POSITIVE_INFINITY);
    expect(exponential(Number.NaN)).toBeNaN();
    expect(wholePower(decayOf(10), 10)).toBeCloseTo(0.5, 12);
    expect(wholePower(3, 0)).toBe(1);
  });
});
