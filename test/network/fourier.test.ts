import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { fourierOf } from '../../lib/network/fourier.ts';
import type { Fourier } from '../../lib/spec/derived-numbers.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { draw } from '../engine/samples.ts';
import { accuracyOf } from './accuracy.ts';

beforeAll(() => tf.setBackend('cpu'));

const numbers = { a: { type: 'number' }, b: { type: 'number' }, c: { type: 'number' } } as const;

/** What the features are of some rows of three numbers, [rows][units]. */
function featuresOf(rows: readonly number[][], own: Partial<Fourier>, seed = 1): number[][] {
  const spec = defineSpec({ model: 'm', task: 'binary', features: numbers, seed });
  return tf.tidy(() => {
    const layer = fourierOf(spec, { units: 64, ...own });
    return (layer.apply(tf.tensor2d(rows as number[][])) as tf.Tensor2D).arraySync();
  });
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe('random Fourier features', () => {
  it('have the products of a Gaussian kernel, within what so many units may miss', () => {
    const rows = Array.from({ length: 12 }, (_, i) => [draw(i, 1), draw(i, 2), draw(i, 3)]);
    for (const bandwidth of [0.3, 1, 3]) {
      // The mean of n products of a size up to 2 is off by more than 5 / √n once in a million.
      const units = 20_000;
      const features = featuresOf(rows, { units, bandwidth });
      for (const [i, x] of rows.entries())
        for (const [j, y] of rows.entries()) {
          const distance = x.reduce((sum, each, k) => sum + (each - (y[k] ?? 0)) ** 2, 0);
          const kernel = Math.exp(-distance / (2 * bandwidth ** 2));
          const product = mean(
            (features[i] ?? []).map((each, k) => each * (features[j]?.[k] ?? 0)),
          );
          expect(Math.abs(product - kernel)).toBeLessThan(5 / Math.sqrt(units));
        }
    }
  });

  it('are the same from the same seed, and others from another', () => {
    const rows = [[1, 2, 3]];
    expect(featuresOf(rows, {})).toEqual(featuresOf(rows, {}));
    expect(featuresOf(rows, {}, 2)).not.toEqual(featuresOf(rows, {}));
  });

  it('look at the numbers that they name alone', () => {
    const [one, other] = featuresOf(
      [
        [1, 2, 3],
        [-7, 2, 80],
      ],
      { of: ['b'] },
    );
    expect(one).toEqual(other);
  });

  it('are as wide as the root of their numbers unless a bandwidth is given', () => {
    const rows = [[1, 2, 3]];
    expect(featuresOf(rows, {})).toEqual(featuresOf(rows, { bandwidth: 0.35 * Math.sqrt(3) }));
    expect(featuresOf(rows, { of: ['a'] })).toEqual(
      featuresOf(rows, { of: ['a'], bandwidth: 0.35 }),
    );
  });

  it('let a linear model learn a ring, which it cannot learn without them', async () => {
    const isInRing = (x: number, y: number) => Math.hypot(x, y) < 1.5;
    const fourier = { hidden: [], fourier: {} };
    expect(await accuracyOf({ network: fourier }, isInRing)).toBeGreaterThan(0.9);
    expect(await accuracyOf({ network: { hidden: [] } }, isInRing)).toBeLessThan(0.75);
  });
});
