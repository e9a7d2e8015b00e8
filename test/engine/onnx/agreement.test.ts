import { describe, expect, it } from 'vitest';
import type { EngineState } from '../../../lib/engine/engine.ts';
import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import { tfjsEngine } from '../../../lib/engine/tfjs.ts';
import { defineSpec, type Schedule, type SpecInput } from '../../../lib/spec/spec.ts';
import { features, layers } from '../networks.ts';
import { samplesOf } from '../samples.ts';

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
      schedule: spec.batch.schedule,
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
