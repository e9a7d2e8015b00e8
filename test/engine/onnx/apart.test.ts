import { describe, expect, it } from 'vitest';
import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import { defineSpec, type Spec, type SpecInput } from '../../../lib/spec/spec.ts';
import { expectAgreement } from '../agree.ts';
import { samplesOf } from '../samples.ts';

const input: SpecInput = {
  model: 'apart',
  task: 'multiclass',
  features: {
    pixels: { type: 'vector', length: 300 },
    shop: { type: 'category', buckets: 50, dimensions: 4 },
  },
  label: { classes: ['a', 'b', 'c'] },
  network: { hidden: [128] },
  clip: { norm: 0.5 },
  optimizer: { type: 'adam', rate: 0.01, weightDecay: 0.01 },
};
const large = defineSpec(input);
const run = { minibatch: 8, rate: 0.01 };

describe('an optimizer apart from gradients', () => {
  it.each<[string, Spec, boolean]>([
    ['a large network', large, true],
    ['one of before 0.32', { ...large, revision: 14 }, false],
    [
      'descent without slots',
      defineSpec({ ...input, optimizer: { type: 'sgd', rate: 0.1 } }),
      false,
    ],
    ['few weights', defineSpec({ ...input, network: { hidden: [64] }, engine: 'onnx' }), false],
  ])('is that of %s, and the arithmetic says so', async (_, spec, isApart) => {
    const { engine } = await onnxEngine({ threads: 1 }).compile(spec);
    expect(engine).toMatch(isApart ? /^onnx-\d+ \(.*\), wasm-1 on / : /^onnx-\d+ \([^)]*\) on /);
  });

  it('trains as tfjs does', () =>
    expectAgreement(onnxEngine({ threads: 1 }), large, {
      ...{ rows: 45, minibatch: 8, tolerance: 2e-3 },
    }));

  it('ends in the same bits when runs overlap, of other minibatches and from a cache', async () => {
    const kept = new Map<string, Uint8Array>();
    const cache = {
      get: async (name: string) => kept.get(name),
      put: async (name: string, body: Uint8Array) => void kept.set(name, body),
    };
    const engine = onnxEngine({ threads: 1, cache });
    const samples = samplesOf(large, 40);
    const alone = await engine.compile(large);
    const expected = await alone.train(alone.initial(), samples, run);
    const other = await alone.train(alone.initial(), samples, { ...run, minibatch: 5 });
    const model = await engine.compile(large);
    const start = model.initial();
    const [first, second, third] = await Promise.all([
      model.train(start, samples, run),
      model.train(start, samples, { ...run, minibatch: 5 }),
      model.train(start, samples, run),
    ]);
    expect([first, second, third]).toEqual([expected, other, expected]);
    expect(await model.train(first.state, samples, run)).toEqual(
      await alone.train(expected.state, samples, run),
    );
  });

  it('goes on with its state after a run that failed', async () => {
    const model = await onnxEngine({ threads: 1 }).compile(large);
    const samples = samplesOf(large, 16);
    const { state } = await model.train(model.initial(), samples, run);
    const after = await model.train(state, samples, run);
    const short = { ...samples, numbers: samples.numbers.subarray(0, 16) };
    await expect(model.train(state, short, run)).rejects.toThrow();
    expect(await model.train(state, samples, run)).toEqual(after);
  });
});
