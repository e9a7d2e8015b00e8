import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { defineSpec, parseSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { vectorSpec } from './networks.ts';

function specWith(layer: tf.layers.Layer, engine?: SpecInput['engine']): SpecInput {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3] }),
      tf.layers.reshape({ targetShape: [2, 2, 1] }),
      layer,
      tf.layers.flatten(),
      tf.layers.dense({ units: 1 }),
    ],
  });
  return {
    model: 'fallback',
    task: 'binary',
    features: { x: { type: 'vector', length: 3 } },
    network: { topology: model.toJSON(null, false) as never },
    ...(engine === undefined ? {} : { engine }),
  };
}

/** Layers that take 28 × 28 pixels to 256 numbers. */
const smallFilters = () => [
  tf.layers.conv2d({ filters: 6, kernelSize: 5 }),
  tf.layers.maxPooling2d({ poolSize: 2 }),
  tf.layers.conv2d({ filters: 16, kernelSize: 5 }),
  tf.layers.maxPooling2d({ poolSize: 2 }),
  tf.layers.flatten(),
];

function compile(input: SpecInput) {
  const warnings: unknown[] = [];
  const engine = createEngine({
    threads: 1,
    warn: (message, fields) => void warnings.push([message, fields]),
  });
  return { compiled: engine.compile(defineSpec(input)), warnings };
}

describe('the engine of a spec', () => {
  const tanh = () => tf.layers.activation({ activation: 'tanh' });
  const wide = (): SpecInput => ({ ...specWith(tanh()), network: { hidden: [200, 200] } });

  it('is wasm where it has kernels for a small network', async () => {
    const { compiled, warnings } = compile(specWith(tanh()));
    expect((await compiled).engine).toBe('wasm-1');
    expect(warnings).toEqual([]);
  });

  it('says why one that comes before it does not train a network', async () => {
    const small = await compile(specWith(tanh())).compiled;
    expect(small.why).toBeUndefined();
    const input = {
      ...vectorSpec([200], [tf.layers.dense({ units: 200 })]),
      online: { minibatch: 32 },
    };
    const large = await compile(input).compiled;
    expect(large.engine).toContain('onnx');
    expect(large.why).toMatch(/has 40000 elements, and onnx is faster/);
    const named = await compile({ ...input, engine: 'onnx' }).compiled;
    expect(named.why).toBeUndefined();
  });

  it('is wasm where small filters do more than a large matrix', async () => {
    const lenet = [...smallFilters(), tf.layers.dense({ units: 140 })];
    const { compiled, warnings } = compile(vectorSpec([28, 28, 1], lenet));
    expect((await compiled).engine).toBe('wasm-1');
    expect(warnings).toEqual([]);
  });

  it('is wasm where pools do more than a large matrix', async () => {
    const pools = [1, 2].map(() => tf.layers.maxPooling2d({ poolSize: 3, strides: 1 }));
    const { compiled } = compile(
      vectorSpec([28, 28, 3], [...pools, tf.layers.flatten(), tf.layers.dense({ units: 10 })]),
    );
    expect((await compiled).engine).toBe('wasm-1');
  });

  it.each([
    [
      'a large matrix that does more than small filters',
      () => vectorSpec([28, 28, 1], [...smallFilters(), tf.layers.dense({ units: 2_000 })]),
    ],
    [
      'large filters',
      () => vectorSpec([9, 9, 30], [tf.layers.conv2d({ filters: 70, kernelSize: 3 })]),
    ],
    ['a large matrix', () => ({ ...wide(), online: { minibatch: 9 } })],
    ['one that batches of more rows train', () => ({ ...wide(), batch: { minibatch: 33 } })],
    ['one beside which others are replayed', () => ({ ...wide(), online: { replay: {} } })],
    ['one of a topology', () => vectorSpec([200], [tf.layers.dense({ units: 200 })])],
    ['too many of them', () => ({ ...wide(), network: { hidden: [700, 700, 700, 700] } })],
    ['one without slots', () => ({ ...wide(), optimizer: { type: 'sgd' as const, rate: 0.1 } })],
    ['a larger matrix', () => ({ ...wide(), network: { hidden: [800, 800] } })],
    ['the name', () => specWith(tanh(), 'onnx')],
  ])('is onnx because of %s', async (_, input) => {
    const { compiled, warnings } = compile(input());
    expect((await compiled).engine).toMatch(/^onnx-/);
    expect(warnings).toEqual([]);
  });

  it('is wasm for a large matrix, too, where minibatches are small', async () => {
    const { compiled, warnings } = compile(wide());
    expect((await compiled).engine).toBe('wasm-1');
    expect(warnings).toEqual([]);
    const engine = createEngine({ threads: 1, warn: () => undefined });
    const earlier = { ...defineSpec(wide()), revision: 16 };
    expect((await engine.compile(earlier)).engine).toMatch(/^onnx-/);
  });

  it('is wasm for a large matrix, too, where it is asked for', async () => {
    const { compiled } = compile({ ...specWith(tanh(), 'wasm'), network: { hidden: [200, 200] } });
    expect((await compiled).engine).toBe('wasm-1');
  });

  it('stays what it was for a model of an earlier release', async () => {
    const { revision: _, ...earlier } = defineSpec(specWith(tanh()));
    const engine = createEngine({ threads: 1, warn: () => undefined });
    expect((await engine.compile(parseSpec(earlier))).engine).toMatch(/^onnx-/);
    expect((await engine.compile(parseSpec({ ...earlier, revision: 1 }))).engine).toMatch(/^onnx-/);
  });

  it('stays onnx for windows over images in a model of before 0.20', async () => {
    const engine = createEngine({ threads: 1, warn: () => undefined });
    const layers = [
      tf.layers.conv2d({ filters: 2, kernelSize: 2 }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.activation({ activation: 'gelu' }),
      tf.layers.zeroPadding2d({}),
      tf.layers.cropping2D({
        cropping: [
          [1, 0],
          [0, 1],
        ],
      }),
      tf.layers.timeDistributed({
        layer: tf.layers.bidirectional({
          layer: tf.layers.gru({ units: 2 }) as never,
          mergeMode: 'sum',
        }),
      }),
    ];
    for (const layer of layers) {
      const spec = defineSpec(specWith(layer));
      const earlier = parseSpec({ ...spec, revision: 6 });
      expect((await engine.compile(earlier)).engine).toMatch(/^onnx-/);
      expect((await engine.compile(spec)).engine).toBe('wasm-1');
    }
  });

  it('is asked for in vain by a network that it has no kernels for', async () => {
    const { compiled } = compile(specWith(tf.layers.upSampling2d({ name: 'larger' }), 'wasm'));
    await expect(compiled).rejects.toThrow(
      /wasm cannot train this network: .* ResizeNearestNeighbor .* in the layer larger/,
    );
  });

  it('is tfjs, with one warning that names kernel and layer, where the network cannot be traced', async () => {
    const { compiled, warnings } = compile(specWith(tf.layers.upSampling2d({ name: 'larger' })));
    expect((await compiled).engine).toMatch(/^tfjs-/);
    expect(warnings).toEqual([
      [
        'the model trains on tfjs, many times slower than on the other engines',
        {
          model: 'fallback',
          reason:
            'the kernel ResizeNearestNeighbor has no form in the trace, in the layer larger (UpSampling2D)',
        },
      ],
    ]);
  });

  it('is none for what tfjs has no gradients of', async () => {
    const gaps = tf.layers.conv2d({ filters: 2, kernelSize: 2, dilationRate: 2 });
    const { compiled } = compile(vectorSpec([5, 5, 1], [gaps]));
    await expect(compiled).rejects.toThrow(
      /spec.network: tfjs cannot train it: .* dilation rates greater than 1 are not yet supported/,
    );
  });

  it('is an error where onnx is asked for and the network cannot be traced', async () => {
    const { compiled } = compile(specWith(tf.layers.upSampling2d({ name: 'larger' }), 'onnx'));
    await expect(compiled).rejects.toThrow(
      /onnx cannot train this network: .* ResizeNearestNeighbor .* in the layer larger/,
    );
  });

  it('trains neither on one nor on the other what draws at random without a seed', async () => {
    const { compiled } = compile(specWith(tf.layers.gaussianNoise({ stddev: 1, name: 'shake' })));
    await expect(compiled).rejects.toThrow(
      /the layer shake \(GaussianNoise\) draws at random without a seed/,
    );
  });

  it('is tfjs where tfjs is asked for', async () => {
    const { compiled, warnings } = compile(
      specWith(tf.layers.activation({ activation: 'tanh' }), 'tfjs'),
    );
    expect((await compiled).engine).toMatch(/^tfjs-/);
    expect(warnings).toEqual([]);
  });
});
