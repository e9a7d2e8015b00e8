import * as tf from '@tensorflow/tfjs';
import type { SpecInput } from '../../lib/spec/spec.ts';

/** A network over one vector of `shape`, ending in one logit. */
export function vectorSpec(shape: number[], layers: tf.layers.Layer[]): SpecInput {
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

/** A small network for each kind of layer. */
export const layers: Record<string, () => SpecInput> = {
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
      [
        dense(5, { useBias: false }),
        tf.layers.batchNormalization(),
        dense(4, { activation: 'relu' }),
      ],
    ),
  'BatchNormalization without scale, and without center': () =>
    vectorSpec(
      [6],
      [
        dense(5, { useBias: false }),
        tf.layers.batchNormalization({ scale: false }),
        dense(4, { activation: 'relu', useBias: false }),
        tf.layers.batchNormalization({ center: false }),
      ],
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
      const [a, b] = [
        apply(dense(4, { activation: 'tanh' }), x),
        apply(dense(4, { activation: 'relu' }), x),
      ];
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
        tf.layers.conv2d({
          filters: 3,
          kernelSize: 3,
          strides: 2,
          padding: 'same',
          activation: 'tanh',
        }),
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
  'ZeroPadding2D and Cropping2D': () =>
    vectorSpec(
      [5, 4, 2],
      [
        tf.layers.zeroPadding2d({
          padding: [
            [1, 2],
            [0, 3],
          ],
        }),
        tf.layers.conv2d({ filters: 3, kernelSize: 2, activation: 'tanh' }),
        tf.layers.cropping2D({
          cropping: [
            [1, 0],
            [2, 1],
          ],
        }),
      ],
    ),
  'LayerNormalization and GlobalAveragePooling2D after Conv2D': () =>
    vectorSpec(
      [6, 5, 2],
      [
        tf.layers.conv2d({ filters: 5, kernelSize: 2, activation: 'tanh' }),
        tf.layers.layerNormalization({}),
        tf.layers.globalAveragePooling2d({}),
      ],
    ),
  ConvLSTM2D: () =>
    vectorSpec(
      [3, 4, 4, 2],
      [tf.layers.convLstm2d({ filters: 2, kernelSize: 2 } as never), tf.layers.flatten()],
    ),
  'a GRU in both directions': () =>
    vectorSpec(
      [5, 3],
      [
        tf.layers.bidirectional({
          layer: tf.layers.gru({ units: 3 }) as never,
          mergeMode: 'concat',
        }),
      ],
    ),
  'Dropout after Dense and Conv2D': () =>
    vectorSpec(
      [6, 6, 2],
      [
        tf.layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu' }),
        tf.layers.dropout({ rate: 0.25 }),
        tf.layers.flatten(),
        dense(8, { activation: 'tanh' }),
        tf.layers.dropout({ rate: 0.5 }),
      ],
    ),
  'SpatialDropout1D and the dropout of an LSTM': () =>
    vectorSpec(
      [5, 3],
      [
        tf.layers.spatialDropout1d({ rate: 0.4 }),
        tf.layers.lstm({ units: 4, dropout: 0.3, recurrentDropout: 0.2 }),
      ],
    ),
  SimpleRNN: () =>
    vectorSpec(
      [5, 2],
      [tf.layers.simpleRNN({ units: 4, returnSequences: true }), tf.layers.simpleRNN({ units: 3 })],
    ),
  LSTM: () => vectorSpec([5, 2], [tf.layers.lstm({ units: 4 })]),
  GRU: () => vectorSpec([5, 2], [tf.layers.gru({ units: 4 })]),
};

/** One feature of each kind. */
export const features: SpecInput['features'] = {
  amount: { type: 'number' },
  shop: { type: 'category', buckets: 7, dimensions: 3 },
  city: { type: 'category', values: ['a', 'b'], dimensions: 2 },
  image: { type: 'vector', length: 4 },
};
