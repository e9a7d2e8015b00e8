import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { useLinearKernels } from '../../lib/engine/cpu-kernels.ts';
import { differentiate, type Minibatch } from '../../lib/engine/step.ts';
import { trainedLayoutOf } from '../../lib/features/columns.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { buildNetwork } from '../../lib/network/build-network.ts';
import { sharesOf } from '../../lib/network/losses.ts';
import type { Network } from '../../lib/network/network.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { features, layers } from './networks.ts';
import { samplesOf } from './samples.ts';

const generated: SpecInput = {
  model: 'gradients',
  task: 'binary',
  features,
  network: { hidden: [5], activation: 'tanh' },
};

const specs: Record<string, () => SpecInput> = {
  ...layers,
  'the binary cross-entropy': () => generated,
  'the half mean squared error': () => ({ ...generated, task: 'regression' }),
  'the loss of a quantile': () => ({ ...generated, task: 'regression', loss: { quantile: 0.9 } }),
  'the Huber loss': () => ({ ...generated, task: 'regression', loss: 'huber' }),
  'the categorical cross-entropy': () => ({
    ...generated,
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'] },
  }),
};

beforeAll(async () => {
  useLinearKernels();
  await tf.setBackend('cpu');
});

function minibatchOf(spec: Spec, { inputs }: Network): Minibatch {
  const rows = 6;
  const { numberWidth, categoryCount } = trainedLayoutOf(spec);
  const samples = sliceSamples(samplesOf(spec, rows), 0, rows, trainedLayoutOf(spec));
  const numbers = tf.tensor2d(samples.numbers, [rows, numberWidth]);
  const categories = tf.tensor2d(samples.categories, [rows, categoryCount], 'int32');
  return {
    inputs: inputs.map(({ kind, offset, width, shape }) =>
      tf
        .slice(kind === 'category' ? categories : numbers, [0, offset], [rows, width])
        .reshape([rows, ...shape]),
    ),
    labels: tf.tensor1d(Float32Array.from(samples.labels)),
    shares: tf.tensor1d(sharesOf(samples.weights)),
  };
}

describe('the gradients of the reference', () => {
  it.each(Object.entries(specs))('are the slope of the loss, with %s', async (_name, input) => {
    const spec = defineSpec(input());
    const network = await buildNetwork(spec);
    // The same masks for each evaluation: half of the elements, in turn.
    network.masks.draw = (shape, rate) =>
      tf
        .range(0, tf.util.sizeFromShape([...shape]))
        .mod(2)
        .div(1 - rate)
        .reshape([...shape]);
    const minibatch = minibatchOf(spec, network);
    const variables = network.layersModel.trainableWeights.map(
      (weight) => weight.read() as tf.Variable,
    );
    const { gradients } = differentiate(spec, network, variables, minibatch);
    const start = variables.map((variable) => variable.clone());
    const norm = Math.sqrt(
      gradients.reduce((sum, gradient) => sum + (gradient.square().sum().dataSync()[0] ?? 0), 0),
    );
    /** The loss `distance` along the gradient. */
    const lossAt = (distance: number) => {
      variables.forEach((variable, i) => {
        const [from, gradient] = [start[i], gradients[i]];
        if (from !== undefined && gradient !== undefined)
          variable.assign(from.add(gradient.mul(distance / norm)));
      });
      return differentiate(spec, network, variables, minibatch).loss.dataSync()[0] ?? Number.NaN;
    };
    // float32: a shorter distance would drown in rounding, a longer one in curvature.
    const distance = 2e-3;
    const slope = (lossAt(distance) - lossAt(-distance)) / (2 * distance);
    expect(norm).toBeGreaterThan(1e-3);
    expect(Math.abs(slope - norm) / norm).toBeLessThan(0.01);
  });
});
