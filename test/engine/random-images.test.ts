import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { defineSpec } from '../../lib/spec/spec.ts';
import { compiledEngines, expectAgreement } from './agree.ts';
import { vectorSpec } from './networks.ts';

const side = (most: number) => fc.integer({ min: 1, max: most });
const sides = (most: number) => fc.tuple(side(most), side(most));
const common = {
  kernelSize: sides(4),
  padding: fc.constantFrom('same' as const, 'valid' as const),
  activation: fc.constantFrom('linear' as const, 'tanh' as const, 'elu' as const),
  useBias: fc.boolean(),
};
const filters = side(9);
const pool = fc.record({
  poolSize: sides(3),
  strides: sides(3),
  padding: common.padding,
});

/** Layers that slide windows over images, each as what makes it. */
const layers: fc.Arbitrary<() => tf.layers.Layer> = fc.oneof(
  // (tfjs has no gradients of windows with gaps.)
  fc
    .record({ ...common, filters, strides: sides(3) })
    .map((settings) => () => tf.layers.conv2d(settings)),
  fc
    .record({ ...common, filters, strides: fc.constantFrom(1, 2) })
    .map((settings) => () => tf.layers.conv2dTranspose(settings)),
  fc
    .record({ ...common, depthMultiplier: side(3), strides: fc.constantFrom(1, 2) })
    .map((settings) => () => tf.layers.depthwiseConv2d(settings)),
  fc
    .record({ ...common, filters, depthMultiplier: side(2) })
    .map((settings) => () => tf.layers.separableConv2d(settings)),
  pool.map((settings) => () => tf.layers.maxPooling2d(settings)),
  // (Its gradient in tfjs divides by pixels of the border too, which its forward step does not.)
  pool.map((settings) => () => tf.layers.averagePooling2d({ ...settings, padding: 'valid' })),
);

const border = fc.tuple(sides(2), sides(2));
/** Layers that only take a part, or put something around. */
const frames: fc.Arbitrary<() => tf.layers.Layer> = fc.oneof(
  border.map((padding) => () => tf.layers.zeroPadding2d({ padding })),
  border.map((cropping) => () => tf.layers.cropping2D({ cropping })),
);

const networks = fc.record({
  shape: fc.tuple(side(9), side(9), side(5)),
  stack: fc.array(fc.oneof({ weight: 6, arbitrary: layers }, { weight: 1, arbitrary: frames }), {
    minLength: 1,
    maxLength: 3,
  }),
  minibatch: fc.integer({ min: 1, max: 6 }),
  seed: fc.integer({ min: 1, max: 1_000 }),
});

/** The network; undefined where a window is larger than what it slides over. */
function specOf(shape: number[], stack: readonly (() => tf.layers.Layer)[]) {
  const made = stack.map((make) => make());
  try {
    const input = vectorSpec(shape, made);
    return made.every(({ outputShape }) => ![outputShape].flat(2).includes(0)) ? input : undefined;
  } catch {
    return undefined;
  }
}

describe.each(Object.entries(compiledEngines))('the %s engine trains as tfjs does', (_, engine) => {
  it('with random windows over images', async () => {
    await tf.setBackend('cpu');
    await fc.assert(
      fc.asyncProperty(networks, async ({ shape, stack, minibatch, seed }) => {
        const input = specOf(shape, stack);
        fc.pre(input !== undefined);
        if (input === undefined) return;
        const spec = defineSpec({ ...input, optimizer: { type: 'sgd', rate: 0.01 }, seed });
        const rows = 8 * minibatch - Math.floor(minibatch / 2);
        await expectAgreement(engine, spec, { rows, minibatch, tolerance: 1e-3 });
      }),
      { seed: 20_26, numRuns: 25 },
    );
  });
});
