import { describe, expect, it } from 'vitest';
import { writeMask } from '../../lib/network/dropout.ts';

function maskOf(
  size: number,
  rate: number,
  ...[seed, step, index]: [number, number, number]
): Float32Array {
  const mask = new Float32Array(size);
  writeMask(mask, rate, { seed, step, index });
  return mask;
}

describe('a mask of dropout', () => {
  it.each([0.1, 0.5, 0.9])('drops a share of %d and scales what it keeps', (rate) => {
    const mask = maskOf(100_000, rate, 1, 2, 3);
    const kept = mask.filter((value) => value !== 0);
    expect(1 - kept.length / mask.length).toBeCloseTo(rate, 2);
    expect(new Set(kept)).toEqual(new Set([Math.fround(1 / (1 - rate))]));
  });

  it('begins with the shorter one, and differs by seed, step and place', () => {
    const mask = maskOf(64, 0.5, 1, 2, 3);
    expect(maskOf(1_000, 0.5, 1, 2, 3).subarray(0, 64)).toEqual(mask);
    for (const other of [
      maskOf(64, 0.5, 2, 2, 3),
      maskOf(64, 0.5, 1, 3, 3),
      maskOf(64, 0.5, 1, 2, 4),
    ]) {
      expect(other).not.toEqual(mask);
    }
  });

  it('is independent of its neighbours: pairs, rows and steps agree half of the time', () => {
    const isKept = (step: number) => [...maskOf(40_000, 0.5, 7, step, 0)].map((value) => value > 0);
    const mask = isKept(1);
    const agreement = (other: readonly boolean[]) =>
      mask.filter((value, i) => value === other[i]).length / mask.length;
    for (const distance of [1, 2, 32, 100]) {
      expect(agreement([...mask.slice(distance), ...mask.slice(0, distance)])).toBeCloseTo(0.5, 1);
    }
    expect(agreement(isKept(2))).toBeCloseTo(0.5, 1);
  });
});
