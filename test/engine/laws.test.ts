import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { EngineState } from '../../lib/engine/engine.ts';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import type { EncodedSamples } from '../../lib/features/samples.ts';
import { optimizerTypes } from '../../lib/spec/optimizer-schema.ts';
import { defineSpec, type Schedule, type SpecInput } from '../../lib/spec/spec.ts';
import { decodeParameters, encodeParameters } from '../../lib/state/checkpoint-file.ts';
import { compiledEngines } from './agree.ts';
import { asEnginesTake } from './samples.ts';

const features: SpecInput['features'] = {
  amount: { type: 'number' },
  shop: { type: 'category', buckets: 7, dimensions: 3 },
  image: { type: 'vector', length: 4 },
};

const schedule: Schedule = { type: 'cosine', steps: 800, floor: 0.2 };

const specs: Record<string, SpecInput> = Object.fromEntries([
  ...optimizerTypes.map((type): [string, SpecInput] => [
    type,
    {
      model: 'laws',
      task: 'binary',
      features,
      network: { hidden: [5] },
      optimizer: { type, rate: 0.01 },
    },
  ]),
  [
    'a large table',
    {
      model: 'laws',
      task: 'binary',
      features: { ...features, shop: { type: 'category', buckets: 20_000, dimensions: 4 } },
      network: { hidden: [5] },
      optimizer: { type: 'adam', rate: 0.01 },
    },
  ],
  [
    'a cosine schedule',
    {
      model: 'laws',
      task: 'binary',
      features,
      optimizer: { type: 'momentum', rate: 0.05 },
      online: { schedule },
    },
  ],
  [
    'more classes than a step keeps for all steps',
    {
      model: 'laws',
      task: 'multiclass',
      features,
      label: { classes: ['a', 'b', 'c', ...Array.from({ length: 67 }, (_, i) => `d${i}`)] },
      network: { hidden: [4] },
    },
  ],
  [
    'three classes',
    {
      model: 'laws',
      task: 'multiclass',
      features,
      label: { classes: ['a', 'b', 'c'] },
      network: { hidden: [4, 3] },
    },
  ],
]);

/** A topology with everything that depends on randomness or keeps state of its own. */
async function dropoutSpec(): Promise<SpecInput> {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        units: 6,
        inputShape: [5],
        activation: 'tanh',
        kernelRegularizer: tf.regularizers.l2(),
      }),
      tf.layers.batchNormalization(),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: 1, activation: 'sigmoid' }),
    ],
  });
  const { shop: _, ...numbers } = features;
  return {
    model: 'laws',
    task: 'binary',
    features: numbers,
    network: { topology: model.toJSON(null, false) as never },
  };
}

function samplesOf(spec: SpecInput, count: number): EncodedSamples {
  const defined = defineSpec(spec);
  const samples = Array.from({ length: count }, (_, i) => ({
    features: Object.fromEntries(
      Object.keys(defined.features).map((name) => [
        name,
        { amount: Math.sin(i), shop: `shop ${i % 5}`, image: [i % 2, Math.cos(i), 1, -1] }[name],
      ]),
    ),
    label: spec.task === 'multiclass' ? ['a', 'b', 'c'][i % 3] : i % 3 === 0,
    weight: 1 + (i % 2),
  }));
  const encoding = createEncoder(defined).encode(samples);
  expect(encoding.refused).toEqual([]);
  return asEnginesTake(encoding.samples);
}

const engines = { tfjs: tfjsEngine, ...compiledEngines };
const everyEngineAndSpec = Object.entries(engines).flatMap(([name, engine]) =>
  [...Object.keys(specs), 'dropout']
    // (tfjs passes over all of a table in each step, as slowly as it does everything.)
    .filter((spec) => name !== 'tfjs' || spec !== 'a large table')
    .map((spec) => ({ name, engine, spec })),
);

describe.each(everyEngineAndSpec)('the $name engine with $spec', ({ engine, spec: name }) => {
  const compile = async () => {
    const spec = specs[name] ?? (await dropoutSpec());
    const defined = defineSpec(spec);
    const run = { minibatch: 4, rate: 0.01, schedule: defined.online.schedule };
    return { spec, run, model: await engine.compile(defined), samples: samplesOf(spec, 46) };
  };

  it('ends in the same bits wherever a run is cut, written to a file and read again', async () => {
    const { spec, run, model, samples } = await compile();
    const order = Int32Array.from({ length: 46 }, (_, i) => (i * 17) % 46);
    const whole = await model.train(model.initial(), samples, { ...run, order });
    for (const cut of [4, 20, 44]) {
      const first = await model.train(model.initial(), samples, {
        ...run,
        order: order.subarray(0, cut),
      });
      const statistics = { count: 0, mean: new Float64Array(), squares: new Float64Array() };
      const { parameters } = decodeParameters(encodeParameters({ ...first.state, statistics }, {}));
      const elsewhere = await engine.compile(defineSpec(spec));
      const second = await elsewhere.train(parameters, samples, {
        ...run,
        order: order.subarray(cut),
      });
      expect(second.state, `cut at ${cut}`).toEqual(whole.state);
      expect([...first.losses, ...second.losses]).toEqual([...whole.losses]);
    }
  });

  it('learns, and leaves its arguments untouched and no tensor behind', async () => {
    const { run, model, samples } = await compile();
    const start = model.initial();
    const copies = structuredClone({ start, samples });
    const tensors = tf.memory().numTensors;
    let state: EngineState = start;
    let first = 0;
    let last = 0;
    for (let epoch = 0; epoch < 60; epoch++) {
      const trained = await model.train(state, samples, run);
      state = trained.state;
      last = trained.losses.reduce((sum, loss) => sum + loss, 0);
      if (epoch === 0) first = last;
    }
    await model.predict(state, samples);
    expect(last).toBeLessThan(first);
    expect(state.step).toBe(60 * 12);
    expect({ start, samples }).toEqual(copies);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('predicts probabilities, the same however rows are grouped', async () => {
    const { model, samples } = await compile();
    const all = await model.predict(model.initial(), samples);
    expect(all).toHaveLength(46 * model.outputs);
    expect(all.every((p) => p >= 0 && p <= 1)).toBe(true);
    const again = await model.predict(model.initial(), samples);
    expect(again).toEqual(all);
  });
});

describe('a network', () => {
  it('has the same weights for the same seed, and others for another', async () => {
    const initial = async (seed: number) =>
      (await tfjsEngine.compile(defineSpec({ ...specs.adam, seed } as SpecInput))).initial()
        .tensors;
    expect(await initial(5)).toEqual(await initial(5));
    expect(await initial(5)).not.toEqual(await initial(6));
  });

  it('weighs a sample of weight 2 as two samples', async () => {
    const run = { minibatch: 4, rate: 0.01 };
    const spec = defineSpec({ ...specs.sgd, network: { hidden: [] } } as SpecInput);
    const model = await tfjsEngine.compile(spec);
    const encode = (raw: readonly unknown[]) => ({
      samples: asEnginesTake(createEncoder(spec).encode(raw).samples),
    });
    const sample = (weight: number) => ({
      features: { amount: 1, shop: 'a', image: [1, 2, 3, 4] },
      label: true,
      weight,
    });
    const other = { features: { amount: -1, shop: 'b', image: [0, 0, 1, 4] }, label: false };
    const twice = await model.train(
      model.initial(),
      encode([sample(1), sample(1), other]).samples,
      run,
    );
    const weighted = await model.train(model.initial(), encode([sample(2), other]).samples, run);
    expect(weighted.losses[0]).toBeCloseTo(twice.losses[0] ?? 0, 6);
    const bias = (state: EngineState) => state.tensors['weights/output/bias']?.data[0] ?? 0;
    expect(bias(weighted.state)).toBeCloseTo(bias(twice.state), 6);
  });
});

describe('the linear kernels', () => {
  it('compute what tfjs computes', async () => {
    await tfjsEngine.compile(defineSpec(specs.adam as SpecInput));
    await tf.setBackend('cpu');
    const a = tf.tensor2d([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const value = (tensor: tf.Tensor) => [tensor.shape, [...tensor.dataSync()]];
    expect(value(tf.add(a, [10, 20, 30]))).toEqual([
      [2, 3],
      [11, 22, 33, 14, 25, 36],
    ]);
    expect(value(tf.sub(1, a))).toEqual([
      [2, 3],
      [0, -1, -2, -3, -4, -5],
    ]);
    expect(value(tf.mul(a, tf.tensor2d([[2], [3]])))).toEqual([
      [2, 3],
      [2, 4, 6, 12, 15, 18],
    ]);
    expect(value(tf.div(a, tf.tensor1d([2])))).toEqual([
      [2, 3],
      [0.5, 1, 1.5, 2, 2.5, 3],
    ]);
    expect(value(tf.transpose(a))).toEqual([
      [3, 2],
      [1, 4, 2, 5, 3, 6],
    ]);
    expect(value(tf.gather(a, tf.tensor1d([1, 1, 0], 'int32')))).toEqual([
      [3, 3],
      [4, 5, 6, 4, 5, 6, 1, 2, 3],
    ]);
    const segments = tf.tensor1d([2, 0], 'int32');
    expect(value(tf.unsortedSegmentSum(a, segments, 3))).toEqual([
      [3, 3],
      [4, 5, 6, 0, 0, 0, 1, 2, 3],
    ]);
  });
});
