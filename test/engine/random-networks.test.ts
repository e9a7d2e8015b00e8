import fc from 'fast-check';
import { describe, it } from 'vitest';
import { activationName } from '../../lib/spec/experts-schema.ts';
import { optimizerTypes } from '../../lib/spec/optimizer-schema.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { compiledEngines, expectAgreement } from './agree.ts';

const feature = fc.oneof(
  fc.constant({ type: 'number' as const }),
  fc.record({
    type: fc.constant('category' as const),
    buckets: fc.integer({ min: 2, max: 9 }),
    dimensions: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ type: fc.constant('vector' as const), length: fc.integer({ min: 1, max: 5 }) }),
);
const features = fc
  .array(feature, { minLength: 1, maxLength: 4 })
  .map((list) => Object.fromEntries(list.map((each, i) => [`f${i}`, each])));
const network = fc.record(
  {
    hidden: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 3 }),
    activation: fc.constantFrom(...activationName.options),
    wide: fc.constant(true),
    dropout: fc.constant(0.3),
    l1: fc.constant(0.001),
    l2: fc.constant(0.01),
  },
  { requiredKeys: ['hidden', 'activation'] },
);
const task = fc.oneof(
  fc.constant({ task: 'binary' as const }),
  fc.record({
    task: fc.constant('regression' as const),
    loss: fc.constantFrom('halfMeanSquaredError', 'huber', { quantile: 0.3 }),
  }),
  fc.record({
    task: fc.constant('regression' as const),
    loss: fc.constantFrom('halfMeanSquaredError', 'huber', { quantile: 0.3 }),
    label: fc.constantFrom({ outputs: ['x', 'y'] }, { outputs: ['x', 'y', 'z', 'u', 'v'] }),
  }),
  fc.integer({ min: 2, max: 5 }).map((count) => ({
    task: 'multiclass' as const,
    label: { classes: ['a', 'b', 'c', 'd', 'e'].slice(0, count) },
  })),
);
const rate = fc.constantFrom(0.001, 0.01, 0.05);
// (Lion takes signs: where a gradient is nothing but rounding, so is its whole step.)
const types = optimizerTypes.filter((type) => type !== 'lion');
const optimizer = fc.record(
  { type: fc.constantFrom(...types), rate, weightDecay: fc.constant(0.1) },
  { requiredKeys: ['type', 'rate'] },
);
/** Optimizers that divide by gradients make more of their rounding. */
const dividing = new Set<string>(['rmsprop', 'adagrad', 'adadelta', 'adam', 'adamax', 'ftrl']);
const clip = fc.option(
  fc.record(
    { value: fc.constantFrom(0.05, 1), norm: fc.constantFrom(0.1, 10) },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);

const networks = fc
  .tuple(features, network, task, optimizer, clip, fc.integer({ min: 1, max: 1_000 }))
  .map(([someFeatures, someNetwork, someTask, someOptimizer, someClip, seed]) => ({
    model: 'random',
    features: someFeatures,
    network: someNetwork,
    ...someTask,
    optimizer: someOptimizer,
    ...(someClip === undefined ? {} : { clip: someClip }),
    seed,
  }));

describe.each(Object.entries(compiledEngines))('the %s engine trains as tfjs does', (_, engine) => {
  it('with random small networks', async () => {
    await fc.assert(
      fc.asyncProperty(networks, fc.integer({ min: 1, max: 7 }), async (input, minibatch) => {
        // 20 steps, the last of them short.
        const rows = 20 * minibatch - Math.floor(minibatch / 2);
        // From zeros, the first gradients of an embedding are nothing but rounding.
        const { cells: _, ...spec } = defineSpec(input as SpecInput);
        const tolerance = dividing.has(spec.optimizer.type) ? 1e-3 : 1e-4;
        await expectAgreement(engine, spec, { rows, minibatch, tolerance });
      }),
      { seed: 20_26, numRuns: 45 },
    );
  });
});
