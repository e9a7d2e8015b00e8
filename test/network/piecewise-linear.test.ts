import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { piecewiseLinear } from '../../lib/network/piecewise-linear.ts';
import type { PiecewiseLinear } from '../../lib/spec/derived-numbers.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { draw } from '../engine/samples.ts';

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

  it('lets linear models learn a band and a threshold that they cannot learn without it', async () => {
    const accuracyOf = async (own: Partial<SpecInput>) => {
      const spec = defineSpec({
        model: 'band',
        task: 'binary',
        features: { x: { type: 'number' }, y: { type: 'number' } },
        network: { hidden: [] },
        ...own,
      });
      const model = {
        name: 'band',
        ...(await compileModel(createEngine({ threads: 1, warn: () => {} }), spec)),
      };
      const samples = Array.from({ length: 2_400 }, (_, i) => {
        const [x, y] = [2 * draw(i, 1), 2 * draw(i, 2)];
        return { features: { x, y }, label: Math.abs(x) < 1 };
      });
      const { samples: encoded } = model.encoder.encode(samples.slice(0, 2_000));
      const state = await learnWithoutTest(model, initialState(model), encoded);
      const { samples: asked } = model.encoder.encodeFeatures(samples.slice(2_000));
      const shares = await predict(model, state, asked);
      const right = samples.slice(2_000).filter(({ label }, i) => (shares[i] ?? 0) > 0.5 === label);
      return right.length / 400;
    };
    const second = { hidden: [], secondOrder: true };
    const piecewise = { ...second, piecewiseLinear: { bins: 8 } };
    expect(await accuracyOf({ network: { hidden: [], piecewiseLinear: {} } })).toBeGreaterThan(0.9);
    expect(await accuracyOf({})).toBeLessThan(0.75);
    const prior = { predicts: 'prior' as const };
    expect(await accuracyOf({ online: { experts: [piecewise, prior] } })).toBeGreaterThan(0.95);
    expect(await accuracyOf({ online: { experts: [second, prior] } })).toBeLessThan(0.75);
  });
});
