import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import type { EngineState, Tensors } from '../../lib/engine/engine.ts';
import { layoutOf } from '../../lib/features/columns.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { samplesOf } from './samples.ts';

const engine = createEngine({ threads: 1, warn: () => {} });
const decay = 0.8;
const base = {
  model: 'averages',
  task: 'binary',
  features: { x: { type: 'number' }, c: { type: 'category', buckets: 50, dimensions: 2 } },
  network: { hidden: [5], fourier: { units: 4 } },
} satisfies SpecInput;
const optimizer = { type: 'adagrad', rate: 0.2 } as const;
const weightsOf = (tensors: Tensors) =>
  Object.entries(tensors).filter(([name]) => name.startsWith('weights/'));

describe('averages of the weights', () => {
  it('are what answers: each step leaves its share of them, rows that it does not touch apart', async () => {
    const spec = defineSpec({ ...base, optimizer: { ...optimizer, averageDecay: decay } });
    const plain = await engine.compile(defineSpec({ ...base, optimizer }));
    const model = await engine.compile(spec);
    const samples = samplesOf(spec, 60);
    const run = { minibatch: 4, rate: 0.2 };
    let state = model.initial();
    const expected = new Map(
      weightsOf(state.tensors).map(([name, { data }]) => [name, Float64Array.from(data)]),
    );
    for (let start = 0; start < 60; start += 4) {
      const message = sliceSamples(samples, start, start + 4, layoutOf(spec));
      const before = state;
      ({ state } = await model.train(state, message, run));
      const touched = new Set(message.categories);
      for (const [name, { shape, data }] of weightsOf(state.tensors)) {
        const average = expected.get(name) ?? new Float64Array();
        const isTable = name.includes('embedding');
        for (let i = 0; i < data.length; i++) {
          if (isTable && !touched.has(Math.floor(i / (shape[1] ?? 1)))) {
            expect(data[i]).toBe(before.tensors[name]?.data[i]);
            continue;
          }
          average[i] = decay * (average[i] ?? 0) + (1 - decay) * (data[i] ?? 0);
        }
      }
    }
    const answering = model.answering?.(state) as EngineState;
    for (const [name, { data }] of weightsOf(answering.tensors))
      data.forEach((weight, i) => {
        expect(Math.abs(weight - (expected.get(name)?.[i] ?? Number.NaN))).toBeLessThan(1e-6);
      });
    // The training itself is as it was, and the average alone is asked.
    const trained = await plain.train(plain.initial(), samples, run);
    expect(weightsOf(state.tensors)).toEqual(weightsOf(trained.state.tensors));
    const answers = await model.predict(state, samples);
    expect(answers).toEqual(await plain.predict({ ...trained.state, ...answering }, samples));
    expect(answers).not.toEqual(await plain.predict(trained.state, samples));
    expect(await model.predict(answering, samples)).toEqual(answers);
  });

  it('are of the weights of a state, whatever was asked before', async () => {
    const spec = defineSpec({ ...base, optimizer: { ...optimizer, averageDecay: decay } });
    const [model, fresh] = await Promise.all([engine.compile(spec), engine.compile(spec)]);
    const samples = samplesOf(spec, 20);
    const { state } = await model.train(model.initial(), samples, { minibatch: 4, rate: 0.2 });
    await model.predict(state, samples);
    // As where a class gets its place: a bias is another, and the slot is the same.
    const bias = { shape: [1], data: Float32Array.of(3) };
    const other = { ...state, tensors: { ...state.tensors, 'weights/output/bias': bias } };
    expect(await model.predict(other, samples)).toEqual(await fresh.predict(other, samples));
    expect(await model.predict(state, samples)).toEqual(await fresh.predict(state, samples));
  });

  it('are refused of networks that no message could pass over', async () => {
    const features = { c: { type: 'category' as const, buckets: 500_000, dimensions: 2 } };
    const spec = defineSpec({
      ...base,
      features,
      network: {},
      optimizer: { ...optimizer, averageDecay: decay },
    });
    await expect(engine.compile(spec)).rejects.toThrow(
      'of which there may be 1000000 (found 1000003); leave it out, or make tables smaller',
    );
  });

  it('are of each expert its own', async () => {
    const online = { experts: [{ hidden: [3] }, { hidden: [] }, { predicts: 'prior' as const }] };
    const spec = defineSpec({ ...base, online, optimizer: { ...optimizer, averageDecay: decay } });
    const model = await engine.compile(spec);
    const samples = samplesOf(spec, 40);
    const { state } = await model.train(model.initial(), samples, { minibatch: 4, rate: 0.2 });
    const answering = model.answering?.(state) as EngineState;
    for (const expert of ['expert_1', 'expert_2']) {
      const name = `weights/${expert}/output/kernel`;
      expect(answering.tensors[name]?.data).not.toEqual(state.tensors[name]?.data);
    }
    expect(await model.predict(answering, samples)).toEqual(await model.predict(state, samples));
    expect(model.restart(state, [])).toEqual(state);
  });
});
