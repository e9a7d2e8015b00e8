import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/engine/engine.ts';
import { importModel } from '../../lib/import/import-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { createWorld } from '../support/world.ts';

type Layer = readonly [className: string, config: object];

const dense = (name: string, units: number, activation: string): Layer => [
  'Dense',
  { name, units, activation },
];
const tensor = (...shape: readonly number[]): Tensor => {
  const size = shape.reduce((product, each) => product * each, 1);
  return { shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1)) };
};
const weights = new Map([
  ['hidden_1', [tensor(2, 4), tensor(4)]],
  ['output', [tensor(4, 1), tensor(1)]],
]);

/** Imports a file of some layers by a spec that has a network of its own. */
async function imported(activation: 'relu' | 'tanh', ...layers: readonly Layer[]) {
  const [[className, config], ...rest] = layers as readonly [Layer, ...Layer[]];
  const first: Layer = [className, { ...config, batch_input_shape: [null, 2] }];
  const topology = {
    class_name: 'Sequential',
    config: {
      name: 'file',
      layers: [first, ...rest].map(([name, own]) => ({ class_name: name, config: own })),
    },
  };
  const spec: SpecInput = {
    model: 'own',
    task: 'regression',
    features: { x: { type: 'vector', length: 2 } },
    network: { hidden: [4], activation },
  };
  return importModel(createWorld(spec), { ...spec, model: 'other' }, { topology, weights });
}

describe('a file whose weights fit a network of the spec', () => {
  const [relu, output] = [dense('hidden_1', 4, 'relu'), dense('output', 1, 'linear')];

  it.each<readonly [string, 'relu' | 'tanh', readonly Layer[]]>([
    ['its own', 'relu', [relu, output]],
    [
      'an activation apart',
      'relu',
      [dense('hidden_1', 4, 'linear'), ['ReLU', { name: 'a' }], output],
    ],
  ])('is imported where that answers as its layers do: %s', async (_, activation, layers) => {
    expect((await imported(activation, ...layers)).spec.initialWeights).toBeTypeOf('string');
  });

  it.each<readonly [string, 'relu' | 'tanh', readonly Layer[]]>([
    ['another activation', 'tanh', [relu, output]],
    ['one more', 'relu', [relu, ['Activation', { name: 'a', activation: 'tanh' }], output]],
    ['one behind the last', 'relu', [relu, dense('output', 1, 'tanh')]],
  ])('is refused where that answers otherwise: %s', async (_, activation, layers) => {
    await expect(imported(activation, ...layers)).rejects.toThrow(
      /spec\.network: it (answers otherwise than|cannot be held against) the layers of the file/,
    );
  });
});
