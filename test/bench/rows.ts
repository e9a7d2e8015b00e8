import * as tf from '@tensorflow/tfjs';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';

/** What a row of the benchmark trains; the peers read the same description. */
export type Row = {
  readonly name: string;
  readonly kind: 'dense' | 'embeddings' | 'convolutional' | 'recurrent';
  readonly minibatch: number;
  readonly optimizer: 'sgd' | 'adam';
  readonly steps: number;
  /** Layers of a dense network, inputs and classes included. */
  readonly sizes?: readonly number[];
  /** Embedding tables, [values, dimensions] each, and hidden layers behind them. */
  readonly tables?: readonly (readonly [number, number])[];
  readonly hidden?: readonly number[];
};

/** The flights network of the design: three tables of 16 and two hidden layers. */
const flights = {
  kind: 'embeddings',
  tables: [
    [229, 16],
    [229, 16],
    [24, 16],
  ],
  hidden: [64, 32],
} as const;

const dense: readonly (readonly [sizes: readonly number[], minibatch: number, steps: number])[] = [
  [[20, 2], 32, 2_000],
  [[20, 64, 2], 32, 1_000],
  [[64, 128, 64, 10], 32, 500],
  [[784, 128, 10], 128, 100],
  [[784, 512, 512, 10], 128, 20],
];

/** All rows of the benchmark. */
export const rows: readonly Row[] = [
  ...(['sgd', 'adam'] as const).flatMap((optimizer) =>
    dense.map(
      ([sizes, minibatch, steps]): Row => ({
        name: sizes.join('–'),
        kind: 'dense',
        sizes,
        minibatch,
        optimizer,
        steps,
      }),
    ),
  ),
  ...[16, 64, 256].map(
    (minibatch): Row => ({
      name: 'flights (embeddings)',
      ...flights,
      minibatch,
      optimizer: 'adam',
      steps: 1_000,
    }),
  ),
  { name: 'LeNet-like, 28×28', kind: 'convolutional', minibatch: 64, optimizer: 'sgd', steps: 20 },
  { name: 'LSTM 64, 20 steps', kind: 'recurrent', minibatch: 32, optimizer: 'adam', steps: 40 },
];

/** The row as a spec. */
export function specOf(row: Row): Spec {
  const common = {
    model: 'bench',
    optimizer: { type: row.optimizer, rate: 0.01 },
    online: { minibatch: row.minibatch },
  };
  return defineSpec({ ...common, ...networkOf(row) });
}

const classes = (count: number) => Array.from({ length: count }, (_, i) => `class ${i}`);

function networkOf({
  kind,
  sizes = [],
  tables = [],
  hidden = [],
}: Row): Pick<SpecInput, 'task' | 'features' | 'label' | 'network'> {
  const vector = (length: number) => ({ x: { type: 'vector' as const, length } });
  if (kind === 'dense') {
    return {
      task: 'multiclass',
      label: { classes: classes(sizes.at(-1) ?? 2) },
      features: vector(sizes[0] ?? 1),
      network: { hidden: sizes.slice(1, -1) },
    };
  }
  if (kind === 'embeddings') {
    return {
      task: 'binary',
      features: {
        number: { type: 'number' },
        ...Object.fromEntries(
          // One bucket is one value: the encoder keeps none apart for unknown ones.
          tables.map(([buckets, dimensions], i) => [
            `category${i}`,
            { type: 'category' as const, buckets, dimensions },
          ]),
        ),
      },
      network: { hidden: [...hidden] },
    };
  }
  if (kind === 'convolutional') {
    const { conv2d, dense: denseLayer, flatten, maxPooling2d } = tf.layers;
    const layers = [
      conv2d({ filters: 6, kernelSize: 5, activation: 'relu', inputShape: [28, 28, 1] }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      denseLayer({ units: 120, activation: 'relu' }),
      denseLayer({ units: 84, activation: 'relu' }),
      denseLayer({ units: 10 }),
    ];
    return {
      task: 'multiclass',
      label: { classes: classes(10) },
      features: vector(784),
      network: { topology: tf.sequential({ layers }).toJSON(null, false) as never },
    };
  }
  const layers = [
    tf.layers.lstm({ units: 64, unroll: true, inputShape: [20, 8] }),
    tf.layers.dense({ units: 1 }),
  ];
  return {
    task: 'binary',
    features: vector(160),
    network: { topology: tf.sequential({ layers }).toJSON(null, false) as never },
  };
}
