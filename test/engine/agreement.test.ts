import { describe, it } from 'vitest';
import {
  defineSpec,
  type OptimizerSpec,
  type Schedule,
  type SpecInput,
} from '../../lib/spec/spec.ts';
import { compiledEngines, expectAgreement } from './agree.ts';
import { features, layers } from './networks.ts';

const generated: SpecInput = {
  model: 'agreement',
  task: 'binary',
  features,
  network: { hidden: [5, 4] },
};

const settings = {
  sgd: { type: 'sgd', rate: 0.05 },
  momentum: { type: 'momentum', rate: 0.05, momentum: 0.9 },
  nesterov: { type: 'nesterov', rate: 0.02, momentum: 0.9 },
  adadelta: { type: 'adadelta', rate: 0.5 },
  adamax: { type: 'adamax', rate: 0.01 },
  rmsprop: { type: 'rmsprop', rate: 0.01, decay: 0.9, momentum: 0.5 },
  adagrad: { type: 'adagrad', rate: 0.05 },
  adam: { type: 'adam', rate: 0.01 },
  lion: { type: 'lion', rate: 0.003 },
  ftrl: { type: 'ftrl', rate: 0.05, l1: 0.01, l2: 0.1 },
} satisfies Record<OptimizerSpec['type'], SpecInput['optimizer']>;
const optimizers: SpecInput['optimizer'][] = Object.values(settings);

const schedules: Schedule[] = [
  { type: 'step', steps: 6, factor: 0.5 },
  { type: 'exponential', steps: 10, factor: 0.5 },
  { type: 'cosine', steps: 15, floor: 0.1 },
  { type: 'inverseTime', steps: 10 },
];

const specs: Record<string, () => SpecInput> = {
  ...layers,
  ...Object.fromEntries(
    schedules.flatMap((schedule, i) => {
      const optimizer = optimizers[(i * 7) % optimizers.length];
      return [
        [
          `a rate of schedule ${schedule.type}, ${optimizer?.type}`,
          () => ({ ...generated, optimizer, batch: { schedule } }),
        ],
      ];
    }),
  ),
  ...Object.fromEntries(
    optimizers.map((optimizer) => [
      `embeddings and ${optimizer?.type}`,
      () => ({ ...generated, optimizer }),
    ]),
  ),
  'wide and deep': () => ({ ...generated, network: { hidden: [5], wide: true } }),
  'wide and linear, of three classes': () => ({
    ...generated,
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'] },
    network: { wide: true },
    optimizer: { type: 'sgd', rate: 0.1 },
  }),
  'dropout, penalties and layer normalisation': () => ({
    ...generated,
    network: { hidden: [6, 4], layerNormalization: true, dropout: 0.3, l1: 0.001, l2: 0.01 },
  }),
  'random Fourier features': () => ({
    ...generated,
    network: { hidden: [6], fourier: { units: 9, bandwidth: 0.5 } },
  }),
  'random Fourier features, wide and linear': () => ({
    ...generated,
    network: { wide: true, fourier: { units: 16 } },
    optimizer: { type: 'sgd', rate: 0.1 },
  }),
  'a piecewise linear encoding': () => ({
    ...generated,
    network: { hidden: [6], piecewiseLinear: { bins: 5 } },
  }),
  'a piecewise linear encoding beside random Fourier features, wide and linear': () => ({
    ...generated,
    network: { wide: true, fourier: { units: 4 }, piecewiseLinear: {} },
    optimizer: { type: 'sgd', rate: 0.1 },
  }),
  'products of numbers': () => ({
    ...generated,
    network: { hidden: [6], quadratic: {} },
  }),
  'plain descent that decays weights': () => ({
    ...generated,
    optimizer: { type: 'sgd', rate: 0.05, weightDecay: 0.3 },
  }),
  'averages of the weights': () => ({
    ...generated,
    optimizer: { type: 'adam', rate: 0.01, averageDecay: 0.9 },
  }),
  'averages of weights that decay': () => ({
    ...generated,
    optimizer: { type: 'sgd', rate: 0.05, weightDecay: 0.3, averageDecay: 0.7 },
  }),
  AdamW: () => ({
    ...generated,
    optimizer: { type: 'adam', rate: 0.01, weightDecay: 0.5, epsilonHat: true },
  }),
  'classes that weigh': () => ({ ...generated, label: { classWeights: { true: 7 } } }),
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
  'the loss of a quantile': () => ({ ...generated, task: 'regression', loss: { quantile: 0.9 } }),
  'the Huber loss': () => ({ ...generated, task: 'regression', loss: 'huber' }),
  'three classes': () => ({
    ...generated,
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'] },
  }),
};

describe.each(Object.entries(compiledEngines))('the %s engine trains as tfjs does', (_, engine) => {
  it.each(Object.entries(specs))('with %s', async (_name, input) => {
    const optimizer = { type: 'adam' as const, rate: 0.001 };
    await expectAgreement(engine, defineSpec({ optimizer, ...input() }), {
      rows: 79,
      minibatch: 4,
      tolerance: 1e-5,
    });
  });
});
