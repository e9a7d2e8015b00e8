import * as tf from '@tensorflow/tfjs';
import type { OptimizerSpec } from '../spec/spec.ts';

/** Slots of an optimizer by name: vectors over all parameters, [parameters], or products of one number, [1]. */
export type Slots<Value> = Readonly<Record<string, Value>>;

/**
 * An optimizer as a pure function over one flat vector of all trainable parameters: slots go in with each
 * call and new ones come out, so that resuming equals never having stopped. The formulas and their order of
 * operations are tfjs' own (`tf.train`), which a test compares step by step.
 */
export type Optimizer = {
  /** The initial value of each slot, and whether it is a vector over the parameters. */
  readonly slots: Slots<{ readonly initial: number; readonly isVector: boolean }>;
  /** New parameters and slots after one step; [parameters] each. Call inside `tf.tidy`. */
  readonly update: (
    parameters: tf.Tensor,
    gradient: tf.Tensor,
    slots: Slots<tf.Tensor>,
    rate: tf.Scalar,
  ) => { readonly parameters: tf.Tensor; readonly slots: Slots<tf.Tensor> };
};

type Parameters<Type extends OptimizerSpec['type']> = Extract<OptimizerSpec, { type: Type }>;

/** The optimizer that a spec names. */
export function optimizerOf(spec: OptimizerSpec): Optimizer {
  switch (spec.type) {
    case 'sgd':
      return sgd;
    case 'momentum':
      return momentum(spec);
    case 'rmsprop':
      return rmsprop(spec);
    case 'adagrad':
      return adagrad(spec);
    case 'adam':
      return adam(spec);
  }
}

/** θ ← θ − η g */
const sgd: Optimizer = {
  slots: {},
  update: (parameters, gradient, slots, rate) => ({
    parameters: tf.add(parameters, tf.mul(gradient, tf.neg(rate))),
    slots,
  }),
};

/** a ← m a + g; θ ← θ − η a. Polyak 1964. */
function momentum(spec: Parameters<'momentum'>): Optimizer {
  return {
    slots: { accumulation: { initial: 0, isVector: true } },
    update(parameters, gradient, slots, rate) {
      const accumulation = tf.add(tf.mul(slot(slots, 'accumulation'), spec.momentum), gradient);
      return { parameters: tf.add(tf.mul(accumulation, tf.neg(rate)), parameters), slots: { accumulation } };
    },
  };
}

/** s ← d s + (1−d) g²; a ← m a + η g / √(s + ε); θ ← θ − a. Tieleman and Hinton 2012. */
function rmsprop(spec: Parameters<'rmsprop'>): Optimizer {
  return {
    slots: { meanSquare: { initial: 0, isVector: true }, accumulation: { initial: 0, isVector: true } },
    update(parameters, gradient, slots, rate) {
      const meanSquare = tf.add(
        tf.mul(slot(slots, 'meanSquare'), spec.decay),
        tf.mul(tf.square(gradient), 1 - spec.decay),
      );
      const step = tf.div(tf.mul(gradient, rate), tf.sqrt(tf.add(meanSquare, spec.epsilon)));
      const accumulation = tf.add(tf.mul(slot(slots, 'accumulation'), spec.momentum), step);
      return { parameters: tf.sub(parameters, accumulation), slots: { meanSquare, accumulation } };
    },
  };
}

/** s ← s + g²; θ ← θ − η g / √(s + ε). Duchi, Hazan, Singer 2011. */
function adagrad(spec: Parameters<'adagrad'>): Optimizer {
  return {
    slots: { squares: { initial: spec.initialAccumulator, isVector: true } },
    update(parameters, gradient, slots, rate) {
      const squares = tf.add(slot(slots, 'squares'), tf.square(gradient));
      const step = tf.mul(tf.div(gradient, tf.sqrt(tf.add(squares, spec.epsilon))), tf.neg(rate));
      return { parameters: tf.add(step, parameters), slots: { squares } };
    },
  };
}

/**
 * m ← β₁ m + (1−β₁) g; v ← β₂ v + (1−β₂) g²; θ ← θ − η m̂ / (√v̂ + ε), with m̂ = m / (1−β₁ᵗ) and
 * v̂ = v / (1−β₂ᵗ). Kingma and Ba 2015. Both powers are slots, multiplied in float32 step by step: rebuilding
 * them with `pow`, as tfjs' `setWeights` does, drifts by 6e-8.
 */
function adam(spec: Parameters<'adam'>): Optimizer {
  return {
    slots: {
      firstMoment: { initial: 0, isVector: true },
      secondMoment: { initial: 0, isVector: true },
      beta1Power: { initial: spec.beta1, isVector: false },
      beta2Power: { initial: spec.beta2, isVector: false },
    },
    update(parameters, gradient, slots, rate) {
      const beta1Power = slot(slots, 'beta1Power');
      const beta2Power = slot(slots, 'beta2Power');
      const firstMoment = tf.add(
        tf.mul(slot(slots, 'firstMoment'), spec.beta1),
        tf.mul(gradient, 1 - spec.beta1),
      );
      const secondMoment = tf.add(
        tf.mul(slot(slots, 'secondMoment'), spec.beta2),
        tf.mul(tf.square(gradient), 1 - spec.beta2),
      );
      // Both corrections are numbers: they go to the rate and to ε, not to two vectors.
      const deviationScale = tf.sqrt(tf.sub(1, beta2Power));
      const scale = tf.div(tf.mul(tf.neg(rate), deviationScale), tf.sub(1, beta1Power));
      const deviation = tf.add(tf.sqrt(secondMoment), tf.mul(deviationScale, spec.epsilon));
      const step = tf.mul(tf.div(firstMoment, deviation), scale);
      return {
        parameters: tf.add(step, parameters),
        slots: {
          firstMoment,
          secondMoment,
          beta1Power: tf.mul(beta1Power, spec.beta1),
          beta2Power: tf.mul(beta2Power, spec.beta2),
        },
      };
    },
  };
}

function slot(slots: Slots<tf.Tensor>, name: string): tf.Tensor {
  const value = slots[name];
  if (value === undefined) throw new Error(`optimizer slot ${name} is missing`);
  return value;
}
