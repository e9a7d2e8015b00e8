import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { piecewiseLinear } from '../../lib/network/piecewise-linear.ts';
import type { PiecewiseLinear } from '../../lib/spec/derived-numbers.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { draw } from '../engine/samples.ts';
import { accuracyOf } from './accuracy.ts';

beforeAll(() => tf.setBackend('cpu'));

const numbers = { a: { type: 'number' }, b: { type: 'number' }, c: { type: 'number' } } as const;

/** The encoding of some rows of three numbers, [rows][pieces]. */
function encodingOf(rows: readonly number[][], own: Partial<PiecewiseLinear> = {}): number[][] {
  const spec = defineSpec({ model: 'm', task: 'binary', features: numbers });
  return tf.tidy(() => {
    const input = tf.input({ shape: [3] });
    const output = piecewiseLinear(spec, { bins: 8, ...own }, input);
    const model = tf.model({ inputs: input, outputs: output });
    return (model.predict(tf.tensor2d(rows as number[][])) as tf.Tensor2D).arraySync();
  });
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('a piecewise linear encoding', () => {
  it('is 1 before a number, 0 behind it, and between them where it lies', () => {
    for (const bins of [2, 8, 64]) {
      const rows = Array.from({ length: 300 }, (_, i) => [3 * draw(i, 1), 0, 0]);
      for (const row of encodingOf(rows, { bins, of: ['a'] })) {
        expect(row).toHaveLength(bins);
        const partial = row.findIndex((piece) => piece < 1);
        const [before, behind] = [row.slice(0, partial), row.slice(partial + 1)];
        if (partial < 0) continue;
        expect(before.every((piece) => piece === 1)).toBe(true);
        expect(behind.every((piece) => piece === 0)).toBe(true);
        expect(row[partial]).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('has parts in which normal numbers are as often', () => {
    const bins = 4;
    const share = (z: number) => 1 / (1 + Math.exp(-1.702 * z));
    const rows = Array.from({ length: 801 }, (_, i) => [(i - 400) / 100, 0, 0]);
    const sums = encodingOf(rows, { bins, of: ['a'] }).map(sum);
    for (const [i, [z = 0]] of rows.entries()) {
      // Before where so many parts are full, so many fifths of all numbers lie, and half of one.
      const full = sums[i] ?? 0;
      if (Math.abs(full - Math.round(full)) > 1e-6 || full === 0 || full === bins) continue;
      expect(Math.abs(share(z) - (full + 0.5) / (bins + 1))).toBeLessThan(0.01);
    }
    expect(sums.every((each, i) => i === 0 || each >= (sums[i - 1] ?? 0))).toBe(true);
    expect([sums[0], sums.at(-1)]).toEqual([0, bins]);
  });

  it('takes what is far out for what is at the end', () => {
    const [far, farther] = encodingOf([
      [50, -50, 0],
      [3e38, -3e38, 0],
    ]);
    expect(farther).toEqual(far);
  });

  it('looks at the numbers that it names alone, in their order', () => {
    const rows = [[1, 0.3, -2]];
    const [all = []] = encodingOf(rows);
    const [own = []] = encodingOf(rows, { of: ['c', 'a'] });
    expect(own).toEqual([...all.slice(0, 8), ...all.slice(16)]);
  });

  it('lets linear models learn a band that they cannot learn without it', async () => {
    const isInBand = (x: number) => Math.abs(x) < 1;
    const piecewise = { hidden: [], piecewiseLinear: { bins: 8 } };
    expect(await accuracyOf({ network: piecewise }, isInBand)).toBeGreaterThan(0.9);
    expect(await accuracyOf({ network: { hidden: [] } }, isInBand)).toBeLessThan(0.75);
    const ofSecondOrder = (own: object) => ({
      online: {
        experts: [{ hidden: [], ...own, secondOrder: true }, { predicts: 'prior' as const }],
      },
    });
    expect(await accuracyOf(ofSecondOrder(piecewise), isInBand)).toBeGreaterThan(0.95);
    expect(await accuracyOf(ofSecondOrder({}), isInBand)).toBeLessThan(0.75);
  });
});
