import { describe, expect, it } from 'vitest';
import { tfjsEngine } from '../../lib/engine/tfjs.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { compiledEngines } from '../engine/agree.ts';
import { asEnginesTake, draw } from '../engine/samples.ts';

const engines = { tfjs: tfjsEngine, ...compiledEngines };

describe.each(Object.entries(engines))('a network of hidden layers on %s', (_, engine) => {
  it('keeps a weight at 0 of which nothing is learnt, whatever is taken from the others', async () => {
    const spec = defineSpec({
      model: 'm',
      task: 'binary',
      features: { x: { type: 'number' }, nothing: { type: 'number' } },
      network: { hidden: [], l1: 0.01, wide: true },
      optimizer: { type: 'adam', rate: 0.1 },
    });
    const samples = Array.from({ length: 40 }, (_each, i) => ({
      features: { x: draw(i), nothing: 0 },
      label: draw(i) > 0,
    }));
    const model = await engine.compile(spec);
    const encoded = asEnginesTake(createEncoder(spec).encode(samples).samples);
    const run = { minibatch: 4, rate: 0.1 };
    const { tensors } = (await model.train(model.initial(), encoded, run)).state;
    for (const kernel of ['weights/output/kernel', 'weights/wide_numbers/kernel']) {
      expect(Math.abs(tensors[kernel]?.data[0] ?? 0)).toBeGreaterThan(0.1);
      expect(tensors[kernel]?.data[1]).toBe(0);
    }
  });
});

describe('first biases', () => {
  it('are drawn where they are asked for, within the bound of their kernels, which stay as they are', async () => {
    const initialOf = async (network: SpecInput['network'], seed = 1) => {
      const features = { x: { type: 'number' }, y: { type: 'number' } } as const;
      const spec = defineSpec({ model: 'm', task: 'binary', features, network, seed });
      return (await tfjsEngine.compile(spec)).initial().tensors;
    };
    const hidden = [30, 10];
    const [plain, drawn, again, other] = await Promise.all([
      initialOf({ hidden }),
      initialOf({ hidden, randomBiases: true }),
      initialOf({ hidden, randomBiases: true }),
      initialOf({ hidden, randomBiases: true }, 2),
    ]);
    expect(again).toEqual(drawn);
    for (const [layer, fan] of [
      ['hidden_1', 2 + 30],
      ['hidden_2', 30 + 10],
    ] as const) {
      const [kernel, bias] = [`weights/${layer}/kernel`, `weights/${layer}/bias`];
      expect(drawn[kernel]).toEqual(plain[kernel]);
      expect(plain[bias]?.data.every((each) => each === 0)).toBe(true);
      expect(other[bias]).not.toEqual(drawn[bias]);
      const biases = [...(drawn[bias]?.data ?? [])];
      expect(new Set(biases).size).toBe(biases.length);
      expect(Math.max(...biases.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(6 / fan));
    }
    expect(drawn['weights/output/bias']).toEqual(plain['weights/output/bias']);
  });
});

describe('a topology', () => {
  it('begins with the same weights, whatever it says of initializers', async () => {
    const layer = (name: string, config: object) => ({
      class_name: 'Dense',
      config: { name, units: 2, ...config },
    });
    const first = { batch_input_shape: [null, 1] };
    const given = (seed?: number) => ({
      kernel_initializer: {
        class_name: 'GlorotUniform',
        config: seed === undefined ? {} : { seed },
      },
    });
    const layers = [layer('plain', first), layer('empty', given()), layer('seeded', given(3))];
    const topology = {
      class_name: 'Sequential',
      config: { name: 's', layers: [...layers, layer('output', { units: 1 })] },
    };
    const input: SpecInput = {
      model: 'm',
      task: 'binary',
      features: { x: { type: 'number' } },
      network: { topology },
    };
    const [a, b, other] = await Promise.all(
      [input, input, { ...input, seed: 2 }].map(async (each) =>
        (await tfjsEngine.compile(defineSpec(each))).initial(),
      ),
    );
    expect(a?.tensors).toEqual(b?.tensors);
    expect(other?.tensors['weights/plain/kernel']).not.toEqual(a?.tensors['weights/plain/kernel']);
    expect(other?.tensors['weights/seeded/kernel']).toEqual(a?.tensors['weights/seeded/kernel']);
  });
});
