import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { coefficientsOf } from '../../lib/network/coefficients.ts';
import { optimizerOf } from '../../lib/network/optimizers.ts';
import type { OptimizerSpec } from '../../lib/spec/spec.ts';

const epsilon = 1e-7;

/** What a reference has to do: change variables by their gradients. */
type Reference = Pick<tf.Optimizer, 'applyGradients'>;

/**
 * Zeiler 2012, algorithm 1, for one variable: tfjs' own divides by the squares before the step, not
 * after it.
 */
function zeiler(rate: number, decay: number, epsilon: number, variable: tf.Variable): Reference {
  const squares = new Float64Array(variable.size);
  const updates = new Float64Array(variable.size);
  return {
    applyGradients(gradients) {
      const gradient = (gradients as tf.NamedTensorMap)[variable.name]?.dataSync() ?? [];
      const next = variable.dataSync().map((x, i) => {
        const g = gradient[i] ?? Number.NaN;
        const [s = 0, u = 0] = [squares[i], updates[i]];
        squares[i] = decay * s + (1 - decay) * g * g;
        const update = (Math.sqrt(u + epsilon) / Math.sqrt((squares[i] ?? 0) + epsilon)) * g;
        updates[i] = decay * u + (1 - decay) * update * update;
        return x - rate * update;
      });
      variable.assign(tf.tensor1d(next));
    },
  };
}

/** A rule for one number of one variable, in float64, with numbers that it keeps. */
function byHand(
  variable: tf.Variable,
  rule: (x: number, g: number, kept: number[], step: number) => number,
): Reference {
  const kept = Array.from({ length: variable.size }, () => [0, 0]);
  const values = Array.from(variable.dataSync());
  let step = 0;
  return {
    applyGradients(gradients) {
      const gradient = (gradients as tf.NamedTensorMap)[variable.name]?.dataSync() ?? [];
      step += 1;
      values.forEach((x, i) => {
        values[i] = rule(x, gradient[i] ?? Number.NaN, kept[i] ?? [], step);
      });
      variable.assign(tf.tensor1d(values));
    },
  };
}

/** Chen et al. 2023, algorithm 2, with decoupled decay. */
const lionRule = (x: number, g: number, kept: number[]) => {
  const [m = 0] = kept;
  kept[0] = 0.99 * m + 0.01 * g;
  return x - 0.003 * (Math.sign(0.9 * m + 0.1 * g) + 0.2 * x);
};

/** McMahan et al. 2013, algorithm 1, from weights that are not 0. */
const ftrlRule = (l1: number) => (x: number, g: number, kept: number[], t: number) => {
  const strength = (n: number) => (0.5 + Math.sqrt(n)) / 0.2 + 0.1;
  if (t === 1) kept[0] = -x * strength(0) - Math.sign(x) * l1;
  const [z = 0, n = 0] = kept;
  const sigma = (Math.sqrt(n + g * g) - Math.sqrt(n)) / 0.2;
  kept[0] = z + g - sigma * x;
  kept[1] = n + g * g;
  if (Math.abs(kept[0]) <= l1) return 0;
  return -(kept[0] - Math.sign(kept[0]) * l1) / strength(kept[1]);
};

/** Loshchilov and Hutter 2019, algorithm 2; `hat` is ε as Keras and scikit-learn have it. */
const adamWRule = (hat: boolean) => (x: number, g: number, kept: number[], t: number) => {
  const [m = 0, v = 0] = kept;
  kept[0] = 0.9 * m + 0.1 * g;
  kept[1] = 0.99 * v + 0.01 * g * g;
  const [first, second] = [1 - 0.9 ** t, 1 - 0.99 ** t];
  const root = Math.sqrt(kept[1] ?? 0);
  const step = hat
    ? (((kept[0] ?? 0) / (root + 0.01)) * Math.sqrt(second)) / first
    : (kept[0] ?? 0) / first / (root / Math.sqrt(second) + 0.01);
  return x - 0.02 * (step + 0.3 * x);
};
const adamW = { type: 'adam', rate: 0.02, beta1: 0.9, beta2: 0.99, epsilon: 0.01 } as const;

/** Each optimizer beside tfjs' own with the same settings. */
const pairs: [OptimizerSpec, (variable: tf.Variable) => Reference][] = [
  [{ type: 'sgd', rate: 0.1 }, () => tf.train.sgd(0.1)],
  [{ type: 'momentum', rate: 0.1, momentum: 0.9 }, () => tf.train.momentum(0.1, 0.9)],
  [{ type: 'nesterov', rate: 0.02, momentum: 0.9 }, () => tf.train.momentum(0.02, 0.9, true)],
  [
    { type: 'adadelta', rate: 0.5, decay: 0.9, epsilon: 1e-4 },
    (variable) => zeiler(0.5, 0.9, 1e-4, variable),
  ],
  [
    { type: 'adamax', rate: 0.02, beta1: 0.9, beta2: 0.99, epsilon },
    () => tf.train.adamax(0.02, 0.9, 0.99, epsilon),
  ],
  [
    { type: 'rmsprop', rate: 0.01, decay: 0.9, momentum: 0.5, epsilon },
    () => tf.train.rmsprop(0.01, 0.9, 0.5, epsilon),
  ],
  [
    { type: 'adagrad', rate: 0.1, initialAccumulator: 0.1, epsilon },
    () => tf.train.adagrad(0.1, 0.1),
  ],
  [
    { type: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon },
    () => tf.train.adam(0.01, 0.9, 0.999, epsilon),
  ],
  [
    { type: 'sgd', rate: 0.1, weightDecay: 0.2 },
    (variable) => byHand(variable, (x, g) => x - 0.1 * (g + 0.2 * x)),
  ],
  [
    { type: 'lion', rate: 0.003, beta1: 0.9, beta2: 0.99, weightDecay: 0.2 },
    (variable) => byHand(variable, lionRule),
  ],
  ...[0, 0.4, 3].map((l1): [OptimizerSpec, (variable: tf.Variable) => Reference] => [
    { type: 'ftrl', rate: 0.2, beta: 0.5, l1, l2: 0.1 },
    (variable) => byHand(variable, ftrlRule(l1)),
  ]),
  [{ ...adamW, weightDecay: 0.3 }, (variable) => byHand(variable, adamWRule(false))],
  [
    { ...adamW, weightDecay: 0.3, epsilonHat: true },
    (variable) => byHand(variable, adamWRule(true)),
  ],
];

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(pairs)('$type', (spec, createReference) => {
  it('steps as its reference does, 50 times', () => {
    const start = [1, -2, 0.5, 3];
    const gradientOf = (x: tf.Tensor) => tf.mul(tf.sub(x, [0.3, 0.1, -0.7, 2]), [1, 10, 0.1, 3]);
    const variable = tf.variable(tf.tensor1d(start));
    const reference = createReference(variable);
    const optimizer = optimizerOf(spec);
    let parameters: tf.Tensor = tf.tensor1d(start);
    let slots: Readonly<Record<string, tf.Tensor>> = Object.fromEntries(
      Object.entries(optimizer.slots).map(([name, initial]) => [
        name,
        tf.fill([start.length], initial),
      ]),
    );
    for (let step = 0; step < 50; step++) {
      reference.applyGradients({ [variable.name]: gradientOf(variable) });
      const { rate, epsilon, decay } = coefficientsOf(spec, spec.rate, step);
      const coefficients = {
        rate: tf.scalar(rate),
        epsilon: tf.scalar(epsilon),
        ...(decay === undefined ? {} : { decay: tf.scalar(decay) }),
      };
      ({ parameters, slots } = optimizer.update(
        parameters,
        gradientOf(parameters),
        slots,
        coefficients,
      ));
      const ours = parameters.dataSync();
      variable.dataSync().forEach((value, i) => {
        expect(ours[i]).toBeCloseTo(value, 5);
      });
    }
    expect(parameters.dataSync()).not.toEqual(Float32Array.from(start));
  });
});
