import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { compileProgram } from '../../../lib/engine/wasm/compile.ts';
import { wasmEngine } from '../../../lib/engine/wasm/wasm.ts';
import { trainedLayoutOf } from '../../../lib/features/columns.ts';
import { sliceSamples } from '../../../lib/features/samples.ts';
import { limits } from '../../../lib/limits.ts';
import { defineSpec } from '../../../lib/spec/spec.ts';
import { vectorSpec } from '../networks.ts';
import { samplesOf } from '../samples.ts';

const { conv2d, globalAveragePooling2d, maxPooling2d } = tf.layers;
const convolve = () => conv2d({ filters: 16, kernelSize: 3, activation: 'relu' });
const specOf = (shape: number[], layers: tf.layers.Layer[]) =>
  defineSpec({ ...vectorSpec(shape, layers), engine: 'wasm' });

describe('the module of a network over images', () => {
  it.each([
    ['a global mean', () => globalAveragePooling2d({})],
    ['BatchNormalization', () => tf.layers.batchNormalization()],
    ['LayerNormalization', () => tf.layers.layerNormalization({})],
    ['pools', () => maxPooling2d({ poolSize: 3, padding: 'same' })],
  ])('does not grow with the images: %s', async (_, layer) => {
    const sizes: number[] = [];
    for (const [side, minibatch] of [
      [10, 4],
      [40, 64],
    ] as const) {
      const spec = specOf([side, side, 2], [convolve(), layer()]);
      sizes.push((await compileProgram(spec, minibatch)).module.length);
    }
    const [small = 0, large = 0] = sizes;
    expect(large).toBeLessThan(small + 4_096);
  });

  it('predicts fewer rows at once where a few images fill a cache', async () => {
    const rowsOf = async (side: number) => {
      const program = await compileProgram(
        specOf([side, side, 1], [convolve(), maxPooling2d({})]),
        1,
      );
      return program.calls.predict?.minibatch;
    };
    expect(await rowsOf(28)).toBe(limits.wasmPredictMinibatch);
    expect(await rowsOf(130)).toBe(4);
    expect(await rowsOf(300)).toBe(1);
  });

  it('predicts the same bits of an image among others', async () => {
    const spec = specOf([130, 130, 1], [convolve(), maxPooling2d({ poolSize: 5 })]);
    const model = await wasmEngine().compile(spec);
    const samples = samplesOf(spec, 7);
    const all = await model.predict(model.initial(), samples);
    for (let row = 0; row < samples.count; row++) {
      const one = sliceSamples(samples, row, row + 1, trainedLayoutOf(spec));
      const alone = await model.predict(model.initial(), one);
      expect(alone).toEqual(all.subarray(row, row + 1));
    }
  });
});
