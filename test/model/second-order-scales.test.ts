import { describe, expect, it } from 'vitest';
import { draw, expectNear, linearOf, ridge, samplesOf, scale } from '../support/second-order.ts';

describe('a linear expert of second order, where numbers are standardised anew', () => {
  const rows = Array.from({ length: 300 }, (_, i) => {
    const x = [draw(i, 0), draw(i, 1), draw(i, 0) + 0.01 * draw(i, 2)];
    return { x, label: 2 * draw(i, 1) - draw(i, 0) + 0.3 * draw(i, 3) + 0.5 };
  });

  it('is the same, whatever the numbers are scaled by meanwhile', async () => {
    const { compiled } = await linearOf('regression', 3);
    const first = { mean: [0, 0, 0], scale: [1, 1, 1] };
    const scalesAt = (step: number) =>
      step < 3 ? first : { mean: [0.02 * step, -0.3, 5], scale: [1 / (1 + step), 2, 0.1 * step] };
    const all = samplesOf(rows);
    const scaled = {
      ...all,
      numbers: all.numbers.map((value, at) => {
        const { mean, scale: by } = scalesAt(Math.floor(at / 3 / 4));
        return (value - (mean[at % 3] ?? 0)) * (by[at % 3] ?? 1);
      }),
    };
    const numberScaleAt = (step: number) => {
      const { mean, scale: by } = scalesAt(step);
      const [none, most] = [
        new Float64Array(3),
        new Float64Array(3).fill(Number.POSITIVE_INFINITY),
      ];
      return { mean: Float64Array.from(mean), scale: Float64Array.from(by), most, standIn: none };
    };
    const run = { rate: 1, minibatch: 4, labelScaleAt: () => scale(0, 1), numberScaleAt };
    const { state } = await compiled.train(compiled.initial(), scaled, run);
    const { mean, scale: by } = scalesAt(74);
    const kernel = [...(state.tensors['weights/output/kernel']?.data ?? [])];
    const raw = kernel.map((weight, i) => weight * (by[i] ?? 1));
    const bias =
      (state.tensors['weights/output/bias']?.data[0] ?? 0) -
      raw.reduce((sum, weight, i) => sum + weight * (mean[i] ?? 0), 0);
    expectNear([bias, ...raw], ridge(rows), 2);
    const unscaled = await compiled.train(compiled.initial(), all, {
      ...run,
      numberScaleAt: undefined,
    });
    const other = unscaled.state.tensors['weights/output/kernel']?.data ?? [];
    expectNear(raw, other, 2);
  });

  it('stays finite where a number is scaled beyond float32', async () => {
    const { compiled } = await linearOf('regression', 3);
    const by = (step: number) => Float64Array.of(step % 2 ? 1e-30 : 1e30, 1, 1);
    const none = new Float64Array(3);
    const numberScaleAt = (step: number) => ({
      mean: Float64Array.of(step % 2 ? 1e30 : -1e30, 0, 0),
      scale: by(step),
      most: new Float64Array(3).fill(Number.POSITIVE_INFINITY),
      standIn: none,
    });
    const run = { rate: 1, minibatch: 4, labelScaleAt: () => scale(0, 1), numberScaleAt };
    const { state } = await compiled.train(compiled.initial(), samplesOf(rows), run);
    for (const { data } of Object.values(state.tensors))
      expect(data.every(Number.isFinite)).toBe(true);
  });
});
