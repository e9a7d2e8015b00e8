import { describe, expect, it } from 'vitest';
import { hashIntegers } from '../../lib/features/hash.ts';
import { emptyWindow, meanOfWindow, windowAfter } from '../../lib/metrics/adwin.ts';

const confidence = 0.002;
const draws = (seed: number, count: number, share: number, from = 0) =>
  Array.from({ length: count }, (_, i) => Number(hashIntegers(seed, from + i) / 2 ** 32 < share));

describe('an adaptive window', () => {
  it('is all of a stream that does not change, in few buckets, and finds nothing', () => {
    for (const share of [0.02, 0.1, 0.5]) {
      for (let seed = 1; seed <= 10; seed++) {
        const { window, rises } = windowAfter(emptyWindow(), draws(seed, 4_000, share), confidence);
        expect(rises).toBe(0);
        expect(window.counts.reduce((a, b) => a + b)).toBe(4_000);
        expect(window.counts.length).toBeLessThanOrEqual(5 * 13);
        expect(Math.abs(meanOfWindow(window) - share)).toBeLessThan(0.05);
      }
    }
  });

  it.each([
    [0.1, 0.2, 900],
    [0.1, 0.5, 130],
    [0.3, 0.5, 400],
  ])(
    'finds a rise from %f to %f within %i numbers, and forgets some of what was',
    (low, high, most) => {
      for (let seed = 1; seed <= 10; seed++) {
        const { window } = windowAfter(emptyWindow(), draws(seed, 2_000, low), confidence);
        const after = windowAfter(window, draws(seed, most, high, 2_000), confidence);
        expect(after.rises).toBeGreaterThan(0);
        expect(after.window.counts.reduce((a, b) => a + b)).toBeLessThan(2_000 + most);
      }
    },
  );

  it('drops what was worse without a word', () => {
    const { window } = windowAfter(emptyWindow(), draws(1, 2_000, 0.5), confidence);
    const after = windowAfter(window, draws(1, 1_000, 0.1, 2_000), confidence);
    expect(after.rises).toBe(0);
    expect(meanOfWindow(after.window)).toBeLessThan(0.2);
  });

  it('is the same, however its numbers are cut, and leaves its argument as it was', () => {
    const values = [...draws(3, 500, 0.1), ...draws(4, 500, 0.6)];
    const whole = windowAfter(emptyWindow(), values, confidence);
    let window = emptyWindow();
    let rises = 0;
    for (let start = 0, size = 1; start < values.length; start += size, size = (size * 7) % 97) {
      const before = structuredClone(window);
      const next = windowAfter(window, values.slice(start, start + size), confidence);
      expect(window).toEqual(before);
      ({ window } = next);
      rises += next.rises;
    }
    expect(rises).toBe(whole.rises);
    expect(window).toEqual(whole.window);
  });
});
