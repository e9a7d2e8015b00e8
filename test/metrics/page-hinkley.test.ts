import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashIntegers } from '../../lib/features/hash.ts';
import { noNumbers, testedBy } from '../../lib/metrics/page-hinkley.ts';

const bounds = { threshold: 20, tolerance: 0.02 };
const draw = (...place: number[]) => hashIntegers(77, ...place) / 2 ** 32;
/** What a model loses that is right so often. */
const loss = (right: number) => (_: unknown, i: number) =>
  draw(i, right) < right ? 0.3 * draw(i, 1) : 0.3 + 0.7 * draw(i, 2);

describe('the test of Page and Hinkley', () => {
  it('is the same, however its numbers are cut', () => {
    const parts = fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true })));
    fc.assert(
      fc.property(parts, fc.constantFrom(0.5, 3), (cut, threshold) => {
        const own = { ...bounds, threshold };
        const whole = testedBy(noNumbers, cut.flat(), own);
        let [test, rises] = [noNumbers, 0];
        for (const part of cut) {
          const tested = testedBy(test, part, own);
          test = tested.test;
          rises += tested.rises;
        }
        expect({ test, rises }).toEqual(whole);
      }),
    );
  });

  it('finds a rise within some hundred numbers, and neither a fall nor what stays', () => {
    const steady = Array.from({ length: 10_000 }, loss(0.8));
    const { test, rises } = testedBy(noNumbers, steady, bounds);
    expect(rises).toBe(0);
    expect(testedBy(test, Array.from({ length: 400 }, loss(0.55)), bounds).rises).toBeGreaterThan(
      0,
    );
    expect(testedBy(test, Array.from({ length: 5_000 }, loss(0.95)), bounds).rises).toBe(0);
  });
});
