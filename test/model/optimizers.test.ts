import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { optimizerOf } from '../../lib/model/optimizers.ts';
import type { OptimizerSpec } from '../../lib/spec/spec.ts';

const epsilon = 1e-7;

/** Each optimizer beside tfjs' own with the same settings. */
const pairs: [OptimizerSpec, () => tf.Optimizer][] = [
  [{ type: 'sgd', rate: 0.1 }, () => tf.train.sgd(0.1)],
  [{ type: 'momentum', rate: 0.1, momentum: 0.9 }, () => tf.train.momentum(0.1, 0.9)],
  [
    { type: 'rmsprop', rate: 0.01, decay: 0.9, momentum: 0.5, epsilon },
    () => tf.train.rmsprop(0.01, 0.9, 0.5, epsilon),
  ],
  [{ type: 'adagrad', rate: 0.1, initialAccumulator: 0.1, epsilon }, () => tf.train.adagrad(0.1, 0.1)],
  [
    { type: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon },
    () => tf.train.adam(0.01, 0.9, 0.999, epsilon),
  ],
];

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(pairs)('$type', (spec, createReference) => {
  it('steps as tfjs does, 50 times', () => {
    const start = [1, -2, 0.5, 3];
    const gradientOf = (x: tf.Tensor) => tf.mul(tf.sub(x, [0.3, 0.1, -0.7, 2]), [1, 10, 0.1, 3]);
    const variable = tf.variable(tf.tensor1d(start));
    const reference = createReference();
    const optimizer = optimizerOf(spec);
    let parameters: tf.Tensor = tf.tensor1d(start);
    let slots: Readonly<Record<string, tf.Tensor>> = Object.fromEntries(
      Object.entries(optimizer.slots).map(([name, { initial, isVector }]) => [
        name,
        tf.fill([isVector ? start.length : 1], initial),
      ]),
    );
    for (let step = 0; step < 50; step++) {
      reference.applyGradients({ [variable.name]: gradientOf(variable) });
      ({ parameters, slots } = optimizer.update(
        parameters,
        gradientOf(parameters),
        slots,
        tf.scalar(spec.rate),
      ));
      const ours = parameters.dataSync();
      variable.dataSync().forEach((value, i) => {
        expect(ours[i]).toBeCloseTo(value, 5);
      });
    }
    expect(parameters.dataSync()).not.toEqual(Float32Array.from(start));
  });
});
