import { describe, expect, it } from 'vitest';
import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import { defineSpec, type SpecInput } from '../../../lib/spec/spec.ts';
import { layers } from '../networks.ts';
import { samplesOf } from '../samples.ts';

/** Large enough for ORT to share out the work, and three values that thousands of rows add to. */
const categories: Record<string, () => SpecInput> = {
  'large minibatches of a few categories': () => ({
    model: 'threads',
    task: 'binary',
    features: { shop: { type: 'category', buckets: 5, dimensions: 64 } },
    network: { hidden: [64] },
  }),
  'large minibatches of a few categories and sgd': () => ({
    model: 'threads',
    task: 'binary',
    features: { shop: { type: 'category', buckets: 5, dimensions: 64 } },
    network: { hidden: [64] },
    optimizer: { type: 'sgd', rate: 0.1 },
  }),
};
const minibatch = 4096;
const cases = [
  ...Object.entries(layers).map(([name, network]) => ({ name, network, steps: 2 })),
  ...Object.entries(categories).map(([name, network]) => ({ name, network, steps: 8 })),
];

describe('the onnx engine with several threads', () => {
  it.each(cases)('gives the same bits each time: $name', async ({ network, steps }) => {
    const spec = defineSpec(network());
    const samples = samplesOf(spec, steps * minibatch);
    const model = await onnxEngine({ threads: 3 }).compile(spec);
    const train = () =>
      model.train(model.initial(), samples, { minibatch, rate: spec.optimizer.rate });
    const first = await train();
    expect(first.state.tensors).not.toEqual(model.initial().tensors);
    for (let i = 0; i < 3; i++) expect(await train()).toEqual(first);
  });
});
