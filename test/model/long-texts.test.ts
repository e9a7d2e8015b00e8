import { describe, expect, it } from 'vitest';
import { bySecondOrder } from '../../lib/engine/experts/second-order.ts';
import type { EncodedSamples } from '../../lib/features/samples.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';
import { draw, engine } from '../support/second-order.ts';

type Sample = { readonly features: Readonly<Record<string, unknown>>; readonly label: unknown };

/** Texts of words that come less and less, half of which hint at a class. */
function textOf(i: number, classes: number, wanted: number): string {
  const words = Array.from({ length: 20 }, (_, k) => {
    const place = Math.floor(1_000 ** (draw(i, k) / 2 + 0.5));
    return k % 4 === 0 ? `hint${wanted}x${place % 50}` : `w${place}of${classes}`;
  });
  return words.join(' ');
}

const words = { type: 'text', buckets: 512 } as const;

/** A linear model of second order, and samples as it takes them. */
async function secondOrderOf(
  task: 'binary' | 'regression',
  features: SpecInput['features'],
  rows: readonly Sample[],
) {
  const spec = defineSpec({
    model: 'm',
    task,
    features,
    label: { standardize: false },
    network: { hidden: [], wide: 'team' in features },
    optimizer: { type: 'sgd', rate: 1 },
  });
  const model = { name: 'm', ...(await compileModel(engine, spec)) };
  const { samples, refused } = model.encoder.encode(rows);
  expect(refused).toEqual([]);
  const numbers = Float32Array.from(samples.raw);
  return {
    spec,
    compiled: bySecondOrder(spec, await engine.compile(spec), false),
    samples: { ...samples, numbers } as EncodedSamples,
  };
}

const run = { rate: 1, minibatch: 4 };

describe('the words of a long text', () => {
  const rows = Array.from({ length: 200 }, (_, i) => {
    const isTrue = draw(i, 99) > 0;
    return { features: { note: textOf(i, 2, Number(isTrue)), x: draw(i, 50) }, label: isTrue };
  });

  it('are learnt each by itself: a Kalman filter whose covariance is a diagonal', async () => {
    const notes = rows.map(({ features: { note }, label }) => ({ features: { note }, label }));
    const { compiled, samples } = await secondOrderOf('regression', { note: words }, notes);
    const { state } = await compiled.train(compiled.initial(), samples, run);
    const weights = new Float64Array(513);
    const variances = new Float64Array(513).fill(4);
    variances[512] = 10;
    rows.forEach(({ label }, row) => {
      const inputs = [...samples.numbers.subarray(row * 512, (row + 1) * 512), 1];
      const sum = (each: (input: number, i: number) => number) =>
        inputs.reduce((total, input, i) => total + each(input, i), 0);
      const total = 1 + sum((input, i) => input ** 2 * (variances[i] ?? 0));
      const way = Number(label) - sum((input, i) => input * (weights[i] ?? 0));
      inputs.forEach((input, i) => {
        const gain = (input * (variances[i] ?? 0)) / total;
        weights[i] = (weights[i] ?? 0) + gain * way;
        variances[i] = (variances[i] ?? 0) * (1 - input * gain);
      });
    });
    const kernel = state.tensors['weights/output/kernel']?.data ?? [];
    expect(kernel).toHaveLength(512);
    kernel.forEach((weight, i) => void expect(weight).toBeCloseTo(weights[i] ?? Number.NaN, 4));
    expect(state.tensors['weights/output/bias']?.data[0]).toBeCloseTo(weights[512] ?? 0, 4);
    const known = state.tensors['optimizer/variances']?.data ?? [];
    known.forEach((each, i) => void expect(each).toBeCloseTo(variances[i] ?? Number.NaN, 4));
    // No pair of words is kept.
    expect(state.tensors['optimizer/covariance']?.data).toHaveLength(1);
  });

  it('change nothing of all else while there are none', async () => {
    const silent = rows.map(({ features: { x }, label }, i) => ({
      features: { x, team: i % 3 === 0 ? 'a' : 'b', note: '' },
      label,
    }));
    const others: SpecInput['features'] = {
      x: { type: 'number', standardize: false },
      team: { type: 'category', values: ['a', 'b'] },
    };
    // (Whichever comes first: what is dense has its places among the numbers.)
    const ways = [
      { note: words, ...others },
      { ...others, note: words },
    ];
    const [first, last] = await Promise.all(
      ways.map(async (features) => {
        const { compiled, samples } = await secondOrderOf('binary', features, silent);
        const { state } = await compiled.train(compiled.initial(), samples, run);
        return state.tensors;
      }),
    );
    const alone = silent.map(({ features: { x, team }, label }) => ({
      features: { x, team },
      label,
    }));
    const { compiled, samples } = await secondOrderOf('binary', others, alone);
    const { tensors } = (await compiled.train(compiled.initial(), samples, run)).state;
    const kernel = tensors['weights/output/kernel']?.data ?? [];
    for (const [own, at] of [
      [first, 512],
      [last, 0],
    ] as const) {
      for (const name of ['optimizer/covariance', 'weights/output/bias'])
        expect(own?.[name]?.data).toEqual(tensors[name]?.data);
      expect(own?.['weights/output/kernel']?.data[at]).toBe(kernel[0]);
      expect([...(own?.['optimizer/variances']?.data ?? [])]).toEqual([
        ...(tensors['optimizer/variances']?.data ?? []),
        ...new Array(512).fill(16),
      ]);
    }
  });

  it('are told by the default experts, wherever messages are cut', async () => {
    const classes = ['a', 'b', 'c', 'd'];
    const stream = Array.from({ length: 800 }, (_, i) => {
      const wanted = Math.floor(2 * (draw(i, 98) + 1));
      return { features: { note: textOf(i, 4, wanted) }, label: classes[wanted] };
    });
    const spec = defineSpec({
      model: 'm',
      task: 'multiclass',
      features: { note: { ...words, log: true } },
      label: { classes },
      online: { experts: 'default' },
    });
    const experts = spec.online.experts ?? [];
    expect(experts).toContainEqual({ hidden: [], replay: false, secondOrder: true });
    expect(spec.online.replay).toBeUndefined();
    const { lossOf } = await learner(spec, stream);
    const others = experts.filter((each) => !('secondOrder' in each));
    const without = await learner({ ...spec, online: { ...spec.online, experts: others } }, stream);
    for (const size of [10, 100])
      expect(await lossOf(size)).toBeLessThan(0.8 * (await without.lossOf(size)));
  });
});

async function learner(spec: ReturnType<typeof defineSpec>, stream: readonly Sample[]) {
  const model = { name: 'm', ...(await compileModel(engine, spec)) };
  const { samples } = model.encoder.encode(stream);
  return {
    async lossOf(size: number): Promise<number> {
      let loss = 0;
      for await (const { learned } of learnMessages(model, samples, size))
        loss += learned.scores.loss;
      return loss;
    },
  };
}
