import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { EngineState } from '../../../lib/engine/engine.ts';
import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import { tfjsEngine } from '../../../lib/engine/tfjs.ts';
import { createEncoder } from '../../../lib/features/encoder.ts';
import { hashIntegers } from '../../../lib/features/hash.ts';
import type { EncodedSamples } from '../../../lib/features/samples.ts';
import { defineSpec, type Spec, type SpecInput } from '../../../lib/spec/spec.ts';

/** A number from −1 to 1 that only its place decides. */
function draw(...place: number[]): number {
  return hashIntegers(7, ...place) / 2 ** 31 - 1;
}

/** A network over one vector of `shape`, ending in one logit. */
function vectorSpec(shape: number[], layers: tf.layers.Layer[]): SpecInput {
  const [first, ...rest] = layers;
  const model = tf.sequential();
  model.add(tf.layers.inputLayer({ inputShape: shape, name: 'x' }));
  for (const layer of [first, ...rest]) if (layer !== undefined) model.add(layer);
  if ((model.outputs[0]?.shape.length ?? 0) > 2) model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 1 }));
  const length = shape.reduce((product, dimension) => product * dimension, 1);
  return {
    model: 'agreement',
    task: 'binary',
    features: { x: { type: 'vector', length } },
    network: { topology: model.toJSON(null, false) as never },
  };
}

function graphSpec(build: (x: tf.SymbolicTensor) => tf.SymbolicTensor): SpecInput {
  const x = tf.input({ shape: [6], name: 'x' });
  const output = tf.layers.dense({ units: 1 }).apply(build(x)) as tf.SymbolicTensor;
  return {
    model: 'agreement',
    task: 'binary',
    features: { x: { type: 'vector', length: 6 } },
    network: { topology: tf.model({ inputs: x, outputs: output }).toJSON(null, false) as never },
  };
}

const dense = (units: number, settings: object = {}) => tf.layers.dense({ units, ...settings });
const apply = (layer: tf.layers.Layer, ...inputs: tf.SymbolicTensor[]) =>
  layer.apply(inputs.length === 1 ? (inputs[0] ?? []) : inputs) as tf.SymbolicTensor;

const activations = [
  'linear',
  'relu',
  'relu6',
  'elu',
  'selu',
  'sigmoid',
  'hardSigmoid',
  'softplus',
  'softsign',
  'tanh',
  'softmax',
  'swish',
  'mish',
  'gelu',
] as const;

const layers: Record<string, () => SpecInput> = {
  ...Object.fromEntries(
    activations.map((activation) => [
      `the activation ${activation}`,
      () => vectorSpec([6], [dense(5, { activation: 'tanh' }), dense(4, { activation })]),
    ]),
  ),
  'LeakyReLU and PReLU': () =>
    vectorSpec([6], [dense(5), tf.layers.leakyReLU(), dense(4), tf.layers.prelu()]),
  'ELU, ReLU, Softmax and Activation': () =>
    vectorSpec(
      [6],
      [
        dense(5),
        tf.layers.elu(),
        dense(4),
        tf.layers.reLU(),
        tf.layers.softmax(),
        tf.layers.activation({ activation: 'tanh' }),
      ],
    ),
  // Without a bias before it: its gradient is 0 but for rounding, which Adam would make steps of.
  BatchNormalization: () =>
    vectorSpec(
      [6],
      [dense(5, { useBias: false }), tf.layers.batchNormalization(), dense(4, { activation: 'relu' })],
    ),
  LayerNormalization: () =>
    vectorSpec([6], [dense(5), tf.layers.layerNormalization(), dense(4, { activation: 'relu' })]),
  'L1 and L2 penalties': () =>
    vectorSpec(
      [6],
      [
        dense(5, {
          activation: 'relu',
          kernelRegularizer: tf.regularizers.l1l2({ l1: 0.01, l2: 0.02 }),
          biasRegularizer: 'l1l2',
        }),
      ],
    ),
  'Flatten, Reshape and Permute': () =>
    vectorSpec(
      [2, 3],
      [tf.layers.permute({ dims: [2, 1] }), tf.layers.reshape({ targetShape: [6] }), dense(4)],
    ),
  'Concatenate, Add, Multiply, Average, Maximum and Minimum': () =>
    graphSpec((x) => {
      const [a, b] = [apply(dense(4, { activation: 'tanh' }), x), apply(dense(4, { activation: 'relu' }), x)];
      return apply(
        tf.layers.concatenate(),
        apply(tf.layers.add(), a, b),
        apply(tf.layers.multiply(), a, b),
        apply(tf.layers.average(), a, b),
        apply(tf.layers.maximum(), a, b),
        apply(tf.layers.minimum(), a, b),
      );
    }),
  'Conv2D and MaxPooling2D': () =>
    vectorSpec(
      [6, 6, 2],
      [
        tf.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu' }),
        tf.layers.maxPooling2d({ poolSize: 2 }),
      ],
    ),
  'Conv2D with strides and padding': () =>
    vectorSpec(
      [7, 6, 2],
      [
        tf.layers.conv2d({ filters: 3, kernelSize: 3, strides: 2, padding: 'same', activation: 'tanh' }),
        tf.layers.conv2d({ filters: 2, kernelSize: 2, padding: 'same' }),
      ],
    ),
  'AveragePooling2D and GlobalAveragePooling2D': () =>
    vectorSpec(
      [6, 6, 2],
      [
        tf.layers.averagePooling2d({ poolSize: 2, padding: 'same' }),
        tf.layers.conv2d({ filters: 3, kernelSize: 2 }),
        tf.layers.globalAveragePooling2d({}),
      ],
    ),
  GlobalMaxPooling2D: () =>
    vectorSpec(
      [5, 5, 2],
      [tf.layers.conv2d({ filters: 3, kernelSize: 2 }), tf.layers.globalMaxPooling2d({})],
    ),
  DepthwiseConv2D: () =>
    vectorSpec(
      [6, 6, 2],
      [
        tf.layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, activation: 'relu' }),
        tf.layers.depthwiseConv2d({ kernelSize: 2, strides: 2, padding: 'same' }),
      ],
    ),
  'Conv1D and pooling': () =>
    vectorSpec(
      [8, 2],
      [
        tf.layers.conv1d({ filters: 4, kernelSize: 3, activation: 'relu' }),
        tf.layers.maxPooling1d({ poolSize: 2 }),
        tf.layers.conv1d({ filters: 3, kernelSize: 2, padding: 'same' }),
        tf.layers.globalAveragePooling1d(),
      ],
    ),
  SimpleRNN: () =>
    vectorSpec(
      [5, 2],
      [
        tf.layers.simpleRNN({ units: 4, unroll: true, returnSequences: true }),
        tf.layers.simpleRNN({ units: 3 }),
      ],
    ),
  LSTM: () => vectorSpec([5, 2], [tf.layers.lstm({ units: 4 })]),
  GRU: () => vectorSpec([5, 2], [tf.layers.gru({ units: 4 })]),
};

const features: SpecInput['features'] = {
  amount: { type: 'number' },
  shop: { type: 'category', buckets: 7, dimensions: 3 },
  city: { type: 'category', values: ['a', 'b'], dimensions: 2 },
  image: { type: 'vector', length: 4 },
};
const generated: SpecInput = { model: 'agreement', task: 'binary', features, network: { hidden: [5, 4] } };

const optimizers: SpecInput['optimizer'][] = [
  { type: 'sgd', rate: 0.05 },
  { type: 'momentum', rate: 0.05, momentum: 0.9 },
  { type: 'nesterov', rate: 0.02, momentum: 0.9 },
  { type: 'adadelta', rate: 0.5 },
  { type: 'adamax', rate: 0.01 },
  { type: 'rmsprop', rate: 0.01, decay: 0.9, momentum: 0.5 },
  { type: 'adagrad', rate: 0.05 },
  { type: 'adam', rate: 0.01 },
];

const specs: Record<string, () => SpecInput> = {
  ...layers,
  ...Object.fromEntries(
    optimizers.map((optimizer) => [`embeddings and ${optimizer?.type}`, () => ({ ...generated, optimizer })]),
  ),
  'gradients clipped by value': () => ({ ...generated, clip: { value: 0.05 } }),
  'gradients clipped by norm': () => ({
    ...generated,
    clip: { norm: 0.1 },
    optimizer: { type: 'sgd', rate: 0.5 },
  }),
  'one layer and sgd': () => ({
    ...generated,
    network: { hidden: [] },
    optimizer: { type: 'sgd', rate: 0.1 },
  }),
  'the half mean squared error': () => ({ ...generated, task: 'regression' }),
  'the Huber loss': () => ({ ...generated, task: 'regression', loss: 'huber' }),
  'three classes': () => ({ ...generated, task: 'multiclass', label: { classes: ['a', 'b', 'c'] } }),
};

function samplesOf(spec: Spec, count: number): EncodedSamples {
  const samples = Array.from({ length: count }, (_, i) => ({
    features: Object.fromEntries(
      Object.entries(spec.features).map(([name, feature], j) => [
        name,
        feature.type === 'vector'
          ? Array.from({ length: feature.length }, (_, k) => draw(i, j, k))
          : feature.type === 'number'
            ? draw(i, j)
            : ['a', 'b', 'c'][(i * 7) % 3],
      ]),
    ),
    label:
      spec.task === 'regression'
        ? 3 * draw(i, 99)
        : spec.task === 'binary'
          ? draw(i, 99) > 0
          : (spec.label.classes?.[i % 3] ?? ''),
    weight: 1 + (i % 3),
  }));
  return createEncoder(spec).encode(samples).samples;
}

/** Each tensor's largest difference, relative to its largest element. */
function differences(a: EngineState, b: EngineState): Record<string, number> {
  return Object.fromEntries(
    Object.entries(a.tensors).map(([name, { data }]) => {
      const other = b.tensors[name]?.data ?? new Float32Array();
      const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 1e-6);
      const difference = data.reduce(
        (max, value, i) => Math.max(max, Math.abs(value - (other[i] ?? Number.NaN))),
        0,
      );
      return [name, difference / largest];
    }),
  );
}

describe('the onnx engine trains as tfjs does', () => {
  it.each(Object.entries(specs))('with %s', async (_name, input) => {
    const spec = defineSpec(input());
    const samples = samplesOf(spec, 79);
    const run = {
      minibatch: 4,
      rate: spec.optimizer.rate,
      order: Int32Array.from({ length: 79 }, (_, i) => (i * 17) % 79),
    };
    const [onnx, reference] = [
      await onnxEngine({ threads: 1 }).compile(spec),
      await tfjsEngine.compile(spec),
    ];
    expect(onnx.initial()).toEqual(reference.initial());
    const trained = await onnx.train(onnx.initial(), samples, run);
    const expected = await reference.train(reference.initial(), samples, run);
    expect(trained.losses).toHaveLength(20);
    trained.losses.forEach((loss, step) => {
      expect(
        Math.abs(loss - (expected.losses[step] ?? 0)) / Math.max(1e-3, Math.abs(loss)),
        `loss of step ${step}`,
      ).toBeLessThan(1e-5);
    });
    for (const [name, difference] of Object.entries(differences(expected.state, trained.state))) {
      expect(difference, name).toBeLessThan(1e-5);
    }
    const predictions = await onnx.predict(expected.state, samples);
    const expectedPredictions = await reference.predict(expected.state, samples);
    predictions.forEach((prediction, i) => {
      expect(Math.abs(prediction - (expectedPredictions[i] ?? 0))).toBeLessThan(1e-5);
    });
  });
});
