import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { defineSpec } from '../../lib/spec/spec.ts';

const policy = {
  module: 'keras',
  class_name: 'DTypePolicy',
  config: { name: 'float32' },
  registered_name: null,
};
const ofKeras = (name: string, config: object, more: object = {}) => ({
  module: 'keras.layers',
  class_name: name,
  config: { trainable: true, dtype: policy, ...config },
  registered_name: null,
  build_config: { input_shape: [null, 4] },
  ...more,
});
const glorot = {
  module: 'keras.initializers',
  class_name: 'GlorotUniform',
  config: { seed: null },
  registered_name: null,
};
const tensor = (layer: string, width: number) => ({
  class_name: '__keras_tensor__',
  config: { shape: [null, width], dtype: 'float32', keras_history: [layer, 0, 0] },
});
const calledWith = (...args: unknown[]) => [{ args, kwargs: { training: false } }];
const input = (name: string, width: number) => ({
  module: 'keras.layers',
  class_name: 'InputLayer',
  config: { batch_shape: [null, width], dtype: 'float32', sparse: false, ragged: false, name },
  registered_name: null,
  name,
  inbound_nodes: [],
});
const dense = (name: string, units: number, activation: string) =>
  ofKeras('Dense', { name, units, activation, use_bias: true, kernel_initializer: glorot });

/** As `json.loads(model.to_json())` of Keras 3 has a functional model of two inputs. */
const functional = {
  module: 'keras.src.models.functional',
  class_name: 'Functional',
  config: {
    name: 'functional',
    trainable: true,
    layers: [
      input('a', 4),
      input('b', 1),
      {
        ...ofKeras('Concatenate', { name: 'both', axis: -1 }, { name: 'both' }),
        inbound_nodes: calledWith([tensor('a', 4), tensor('b', 1)]),
      },
      {
        ...dense('hidden', 3, 'relu'),
        name: 'hidden',
        inbound_nodes: calledWith(tensor('both', 5)),
      },
      {
        ...dense('out', 1, 'sigmoid'),
        name: 'out',
        inbound_nodes: calledWith(tensor('hidden', 3)),
      },
    ],
    input_layers: [
      ['a', 0, 0],
      ['b', 0, 0],
    ],
    output_layers: ['out', 0, 0],
  },
  registered_name: 'Functional',
  compile_config: { optimizer: 'adam' },
};

/** The same of a Sequential. */
const sequential = {
  module: 'keras',
  class_name: 'Sequential',
  config: {
    name: 'sequential',
    trainable: true,
    dtype: policy,
    layers: [input('a', 4), dense('hidden', 3, 'tanh'), dense('out', 1, 'sigmoid')],
    build_input_shape: [null, 4],
  },
  registered_name: null,
};

describe('a topology of Keras 3', () => {
  it.each([
    ['functional', functional, { a: { type: 'vector', length: 4 }, b: { type: 'number' } }],
    ['sequential', sequential, { a: { type: 'vector', length: 4 } }],
  ] as const)('is taken as one of Keras 2: %s', async (_name, topology, features) => {
    const spec = defineSpec({ model: 'k', task: 'binary', features, network: { topology } });
    const { network } = spec;
    if (!('topology' in network)) throw new Error('it has no topology');
    expect(JSON.stringify(network.topology)).not.toMatch(/keras_history|DTypePolicy|"module"/);
    const built = await tf.models.modelFromJSON({
      modelTopology: structuredClone(network.topology),
    } as never);
    expect(built.outputs.map(({ shape }) => shape)).toEqual([[null, 1]]);
    expect(built.inputs).toHaveLength(Object.keys(features).length);
    built.dispose();
  });
});
