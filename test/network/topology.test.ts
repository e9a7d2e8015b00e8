import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { buildNetwork } from '../../lib/network/build-network.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

describe("a topology of one's own", () => {
  it.each([
    ['no model at all', { class_name: 'Nonsense', config: {} }, /tfjs cannot build it/],
    [
      'two outputs for one class',
      tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [5] })] }),
      /needs one output of shape \[null,1\]/,
    ],
    [
      'an input that fits no feature',
      tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [9] })] }),
      /matches no feature; features: amount, image/,
    ],
    [
      'a window larger than what it slides over',
      tf.sequential({
        layers: [
          tf.layers.reshape({ targetShape: [5, 1, 1], inputShape: [5] }),
          tf.layers.maxPooling2d({ poolSize: [2, 2], name: 'largest' }),
          tf.layers.flatten(),
          tf.layers.dense({ units: 1 }),
        ],
      }),
      /nothing comes out of the layer largest \(found the shape \[null,2,0,1\]\)/,
    ],
    [
      'a constraint on weights',
      tf.sequential({
        layers: [
          tf.layers.dense({
            units: 2,
            inputShape: [5],
            name: 'bounded',
            kernelConstraint: 'nonNeg',
          }),
          tf.layers.dense({ units: 1 }),
        ],
      }),
      /the layer bounded has a constraint on its weights \(found NonNeg\)/,
    ],
    [
      'a tanh at its end',
      tf.sequential({
        layers: [tf.layers.dense({ units: 1, inputShape: [5], activation: 'tanh' })],
      }),
      /must be sigmoid or linear/,
    ],
  ])('is refused with the reason: %s', async (_, topology, reason) => {
    const json = topology instanceof tf.Sequential ? topology.toJSON(null, false) : topology;
    const spec = defineSpec({
      model: 'topologies',
      task: 'binary',
      features: { amount: { type: 'number' }, image: { type: 'vector', length: 4 } },
      network: { topology: json as never },
    });
    await expect(buildNetwork(spec)).rejects.toThrow(reason);
  });
});
