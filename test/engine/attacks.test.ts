import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { optimizerTypes } from '../../lib/spec/optimizer-schema.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { compiledEngines, expectAgreement } from './agree.ts';
import { samplesOf } from './samples.ts';

type Layers = (x: tf.SymbolicTensor) => tf.SymbolicTensor;

/** A network over one category of four values, or as many as are given. */
function overCategory(build: Layers, buckets = 4): SpecInput {
  const x = tf.input({ shape: [1], name: 'shop', dtype: 'int32' });
  const output = tf.layers.dense({ units: 1 }).apply(build(x)) as tf.SymbolicTensor;
  return {
    model: 'attacks',
    task: 'binary',
    features: { shop: { type: 'category', buckets } },
    network: { topology: tf.model({ inputs: x, outputs: output }).toJSON(null, false) as never },
    online: { minibatch: 4 },
  };
}

const apply = (layer: tf.layers.Layer, x: tf.SymbolicTensor) => layer.apply(x) as tf.SymbolicTensor;

const normalizedTable: Layers = (x) => {
  const rows = apply(tf.layers.embedding({ inputDim: 4, outputDim: 2 }), x);
  return apply(tf.layers.batchNormalization(), apply(tf.layers.flatten(), rows));
};

const nestedNormalization: SpecInput = {
  model: 'attacks',
  task: 'binary',
  features: { x: { type: 'vector', length: 3 } },
  network: {
    topology: tf
      .sequential({
        layers: [
          tf.sequential({
            layers: [
              tf.layers.dense({ units: 4, inputShape: [3], useBias: false }),
              tf.layers.batchNormalization(),
            ],
          }),
          tf.layers.dense({ units: 1 }),
        ],
      })
      .toJSON(null, false) as never,
  },
};

describe.each(Object.entries(compiledEngines))(
  'the %s engine, or what takes its place',
  (name, engine) => {
    /** What wasm has no kernels for goes to ONNX Runtime. */
    const chosen = name === 'wasm' ? createEngine({ threads: 1, warn: () => undefined }) : engine;

    it.each(optimizerTypes)(
      'trains a table beside BatchNormalization with %s as tfjs does, weights of 0 among them',
      async (type) => {
        const optimizer = { type, rate: 0.01 };
        const spec = defineSpec({ ...overCategory(normalizedTable), optimizer });
        await expectAgreement(chosen, spec, { rows: 39, minibatch: 4, tolerance: 1e-3 });
      },
    );

    it('fills up no minibatch whose rows meet in a nested model', async () => {
      const optimizer = { type: 'sgd' as const, rate: 0.05 };
      const spec = defineSpec({ ...nestedNormalization, optimizer });
      await expectAgreement(chosen, spec, { rows: 39, minibatch: 4, tolerance: 1e-4 });
    });

    it('clips by what no float32 reaches as if it did not clip', async () => {
      const features = { x: { type: 'vector' as const, length: 3 } };
      const common = { model: 'attacks', task: 'binary' as const, features };
      const optimizer = { type: 'adagrad' as const, rate: 0.1 };
      for (const clip of [{ value: 1e39 }, { norm: 1e39 }, { value: 1e300, norm: 1e300 }]) {
        const spec = defineSpec({ ...common, optimizer, clip });
        await expectAgreement(chosen, spec, { rows: 20, minibatch: 4, tolerance: 1e-5 });
      }
    });
  },
);

describe('a category without a table', () => {
  const layers: Record<string, () => tf.layers.Layer> = {
    softplus: () => tf.layers.activation({ activation: 'softplus' }),
    batchNormalization: () => tf.layers.batchNormalization(),
    prelu: () => tf.layers.prelu(),
    relu: () => tf.layers.activation({ activation: 'relu' }),
    selu: () => tf.layers.activation({ activation: 'selu' }),
  };

  it.each(Object.keys(layers))('is a number to the layer %s', async (name) => {
    const spec = defineSpec(overCategory((x) => apply(layers[name]?.() as tf.layers.Layer, x), 9));
    const samples = samplesOf(spec, 12);
    const [wasm, tfjs] = await Promise.all([wasmEngine().compile(spec), tfjsEngine.compile(spec)]);
    const expected = await tfjs.predict(tfjs.initial(), samples);
    (await wasm.predict(wasm.initial(), samples)).forEach((prediction, i) => {
      expect(prediction).toBeCloseTo(expected[i] ?? Number.NaN, 5);
    });
  });
});

describe('a table', () => {
  it('has a row for each value of its feature', async () => {
    const table: Layers = (x) =>
      apply(tf.layers.flatten(), apply(tf.layers.embedding({ inputDim: 5, outputDim: 2 }), x));
    const engine = createEngine({ threads: 1, warn: () => undefined });
    await expect(engine.compile(defineSpec(overCategory(table, 20)))).rejects.toThrow(
      /the layer embedding_\w+ has 5 rows \(inputDim\), its feature shop needs 20/,
    );
  });

  it('that is looked up beyond its end has rows of zeros there, which nothing changes', async () => {
    const x = tf.input({ shape: [3], name: 'x' });
    const rows = apply(tf.layers.embedding({ inputDim: 2, outputDim: 2 }), x);
    const output = apply(tf.layers.dense({ units: 1 }), apply(tf.layers.flatten(), rows));
    const spec: Spec = defineSpec({
      model: 'attacks',
      task: 'binary',
      features: { x: { type: 'vector', length: 3 } },
      network: { topology: tf.model({ inputs: x, outputs: output }).toJSON(null, false) as never },
      online: { minibatch: 2 },
    });
    const samples = samplesOf(spec, 4);
    const numbers = Float32Array.from([0, 1, 7, 5, 0, 0, 9, 9, 9, 1, 1, 2]);
    const given = { ...samples, numbers, raw: numbers };
    const results = await Promise.all(
      [wasmEngine(), tfjsEngine].map(async (engine) => {
        const model = await engine.compile(spec);
        const run = { minibatch: 2, rate: 0.1 };
        const { state } = await model.train(model.initial(), given, run);
        return [...(await model.predict(state, given))];
      }),
    );
    results[0]?.forEach((prediction, i) => {
      expect(prediction).toBeCloseTo(results[1]?.[i] ?? Number.NaN, 5);
    });
  });
});

describe('an engine', () => {
  it('leaves what needs more memory than WebAssembly has to another', async () => {
    const spec = defineSpec({
      model: 'attacks',
      task: 'binary',
      features: { x: { type: 'number' } },
      network: { hidden: [8_192] },
      online: { minibatch: 65_536 },
    });
    await expect(wasmEngine().compile(spec)).rejects.toThrow(/needs \d+ MiB of the memory/);
  });

  it('leaves no tensor behind of a network that is too large for it', async () => {
    const features = { x: { type: 'number' as const } };
    const network = { hidden: [200, 200] };
    const online = { minibatch: 32 };
    const spec = defineSpec({ model: 'attacks', task: 'binary', features, network, online });
    const compile = () => wasmEngine().compile(spec);
    await expect(compile()).rejects.toThrow(/onnx is faster/);
    const before = tf.memory().numTensors;
    await expect(compile()).rejects.toThrow(/onnx is faster/);
    expect(tf.memory().numTensors).toBe(before);
  });
});
