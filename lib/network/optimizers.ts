import * as tf from '@tensorflow/tfjs';
import type { OptimizerSpec } from '../spec/spec.ts';
import type { Coefficients } from './coefficients.ts';
import { behindSlot } from './weight-names.ts';

/** Slots of an optimizer by name: vectors over all parameters, [parameters]. */
export type Slots<Value> = Readonly<Record<string, Value>>;

/**
 * An optimizer as a pure function over one flat vector of all trainable parameters: slots go in
 * with each call and new ones come out, so that resuming equals never having stopped. The formulas
 * are tfjs' own (`tf.train`), up to rounding; a test compares them step by step. Only adadelta is
 * Zeiler's instead, whose first steps tfjs makes many times too large.
 */
export type Optimizer = {
  /** The initial value of each slot. */
  readonly slots: Slots<number>;
  /** Whether a gradient of 0 changes neither a parameter nor its slots. */
  readonly keepsUntouched?: true;
  /**
   * New parameters and slots after one step; [parameters] each. Call inside `tf.tidy`.
   *
   * @param coefficients the step's numbers, [] each; see `coefficientsOf`
   */
  readonly update: (
    parameters: tf.Tensor,
    gradient: tf.Tensor,
    slots: Slots<tf.Tensor>,
    coefficients: Coefficients<tf.Tensor>,
  ) => { readonly parameters: tf.Tensor; readonly slots: Slots<tf.Tensor> };
};

type SpecOf<Type extends OptimizerSpec['type']> = Extract<OptimizerSpec, { type: Type }>;

/** The optimizer that a spec names. */
export function optimizerOf(spec: OptimizerSpec): Optimizer {
  const own = decayingOf(spec);
  return spec.averageDecay === undefined ? own : averaging(own, spec.averageDecay);
}

function decayingOf(spec: OptimizerSpec): Optimizer {
  const own = withoutDecay(spec);
  if (spec.weightDecay === undefined) return own;
  return spec.type === 'sgd' ? decayingSgd(spec.weightDecay) : decoupled(own);
}

/**
 * Beside θ its average θ̄ ← d θ̄ + (1−d) θ, from the first θ on (Polyak and Juditsky 1992, with
 * weights that fade). The slot is b = θ̄ − θ, which begins at 0: b ← d (b + θ − θ′).
 */
function averaging({ slots, update }: Optimizer, decay: number): Optimizer {
  return {
    slots: { ...slots, [behindSlot]: 0 },
    update(parameters, gradient, own, coefficients) {
      const next = update(parameters, gradient, own, coefficients);
      // (In this order, the old weights are not needed once there are new ones.)
      const average = tf.add(slot(own, behindSlot), parameters);
      const behind = tf.mul(tf.sub(average, next.parameters), decay);
      return { ...next, slots: { ...next.slots, [behindSlot]: behind } };
    },
  };
}

/**
 * θ ← θ' − η λ θ, where θ' is what the optimizer itself would make of θ: weight decay that is
 * decoupled from the gradient (Loshchilov and Hutter 2019).
 */
function decoupled({ slots, update }: Optimizer): Optimizer {
  return {
    slots,
    update(parameters, gradient, own, coefficients) {
      const decayed = tf.mul(parameters, decayOf(coefficients));
      const next = update(parameters, gradient, own, coefficients);
      return { ...next, parameters: tf.sub(next.parameters, decayed) };
    },
  };
}

/** θ ← θ − η (g + λ θ), which is the same of plain descent. */
function decayingSgd(weightDecay: number): Optimizer {
  return {
    slots: {},
    update: (parameters, gradient, slots, { rate }) => {
      const direction = tf.add(gradient, tf.mul(parameters, weightDecay));
      return { parameters: tf.add(parameters, tf.mul(direction, tf.neg(rate))), slots };
    },
  };
}

function decayOf({ decay }: Coefficients<tf.Tensor>): tf.Tensor {
  if (decay === undefined) throw new Error('the coefficient of weight decay is missing');
  return decay;
}

function withoutDecay(spec: OptimizerSpec): Optimizer {
  switch (spec.type) {
    case 'sgd':
      return sgd;
    case 'momentum':
    case 'nesterov':
      return momentum(spec);
    case 'rmsprop':
      return rmsprop(spec);
    case 'adagrad':
      return adagrad(spec);
    case 'adadelta':
      return adadelta(spec);
    case 'adam':
      return adam(spec);
    case 'adamax':
      return adamax(spec);
    case 'lion':
      return lion(spec);
    case 'ftrl':
      return ftrl(spec);
  }
}

/** θ ← θ − η g */
const sgd: Optimizer = {
  slots: {},
  keepsUntouched: true,
  update: (parameters, gradient, slots, { rate }) => ({
    parameters: tf.add(parameters, tf.mul(gradient, tf.neg(rate))),
    slots,
  }),
};

/**
 * a ← m a + g; θ ← θ − η a (Polyak 1964), or θ ← θ − η (g + m a) (Nesterov 1983, as Sutskever et
 * al. 2013).
 */
function momentum(spec: SpecOf<'momentum' | 'nesterov'>): Optimizer {
  return {
    slots: { accumulation: 0 },
    update(parameters, gradient, slots, { rate }) {
      const accumulation = tf.add(tf.mul(slot(slots, 'accumulation'), spec.momentum), gradient);
      const direction =
        spec.type === 'nesterov'
          ? tf.add(gradient, tf.mul(accumulation, spec.momentum))
          : accumulation;
      return {
        parameters: tf.add(tf.mul(direction, tf.neg(rate)), parameters),
        slots: { accumulation },
      };
    },
  };
}

/** s ← d s + (1−d) g²; a ← m a + η g / √(s + ε); θ ← θ − a. Tieleman and Hinton 2012. */
function rmsprop(spec: SpecOf<'rmsprop'>): Optimizer {
  return {
    slots: { meanSquare: 0, accumulation: 0 },
    update(parameters, gradient, slots, { rate }) {
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
function adagrad(spec: SpecOf<'adagrad'>): Optimizer {
  return {
    slots: { squares: spec.initialAccumulator },
    keepsUntouched: true,
    update(parameters, gradient, slots, { rate }) {
      const squares = tf.add(slot(slots, 'squares'), tf.square(gradient));
      const step = tf.mul(tf.div(gradient, tf.sqrt(tf.add(squares, spec.epsilon))), tf.neg(rate));
      return { parameters: tf.add(step, parameters), slots: { squares } };
    },
  };
}

/**
 * m ← β₁ m + (1−β₁) g; v ← β₂ v + (1−β₂) g²; θ ← θ − η m̂ / (√v̂ + ε), with m̂ = m / (1−β₁ᵗ) and v̂
 * = v / (1−β₂ᵗ). Kingma and Ba 2015. The slots are m / (1−β₁) and v / (1−β₂), sums in place of
 * means: all factors are numbers of the step then, in its rate and its ε, and vectors are passed
 * over less often.
 */
function adam(spec: SpecOf<'adam'>): Optimizer {
  return {
    slots: { gradientSum: 0, squareSum: 0 },
    update(parameters, gradient, slots, { rate, epsilon }) {
      const gradientSum = tf.add(tf.mul(slot(slots, 'gradientSum'), spec.beta1), gradient);
      const squareSum = tf.add(tf.mul(slot(slots, 'squareSum'), spec.beta2), tf.square(gradient));
      const direction = tf.div(gradientSum, tf.add(tf.sqrt(squareSum), epsilon));
      return {
        parameters: tf.add(tf.mul(direction, tf.neg(rate)), parameters),
        slots: { gradientSum, squareSum },
      };
    },
  };
}

/** s ← d s + (1−d) g²; u = g √(r + ε) / √(s + ε); r ← d r + (1−d) u²; θ ← θ − η u. Zeiler 2012. */
function adadelta(spec: SpecOf<'adadelta'>): Optimizer {
  const average = (old: tf.Tensor, value: tf.Tensor) =>
    tf.add(tf.mul(old, spec.decay), tf.mul(tf.square(value), 1 - spec.decay));
  return {
    slots: { squares: 0, updates: 0 },
    update(parameters, gradient, slots, { rate }) {
      const squares = average(slot(slots, 'squares'), gradient);
      const deviations = [slot(slots, 'updates'), squares].map((each) =>
        tf.sqrt(tf.add(each, spec.epsilon)),
      );
      const [updates = gradient, gradients = gradient] = deviations;
      const update = tf.mul(tf.div(updates, gradients), gradient);
      return {
        parameters: tf.add(tf.mul(update, tf.neg(rate)), parameters),
        slots: { squares, updates: average(slot(slots, 'updates'), update) },
      };
    },
  };
}

/**
 * m ← β₁ m + (1−β₁) g; u ← max(β₂ u, |g|); θ ← θ − η / (1−β₁ᵗ) · m / (u + ε). Kingma and Ba 2015,
 * section 7. The slot of m is m / (1−β₁), as Adam's is.
 */
function adamax(spec: SpecOf<'adamax'>): Optimizer {
  return {
    slots: { gradientSum: 0, largest: 0 },
    update(parameters, gradient, slots, { rate }) {
      const gradientSum = tf.add(tf.mul(slot(slots, 'gradientSum'), spec.beta1), gradient);
      const largest = tf.maximum(tf.mul(slot(slots, 'largest'), spec.beta2), tf.abs(gradient));
      const direction = tf.div(gradientSum, tf.add(largest, spec.epsilon));
      return {
        parameters: tf.add(tf.mul(direction, tf.neg(rate)), parameters),
        slots: { gradientSum, largest },
      };
    },
  };
}

/** θ ← θ − η sign(β₁ m + (1−β₁) g); m ← β₂ m + (1−β₂) g. Chen et al. 2023. */
function lion(spec: SpecOf<'lion'>): Optimizer {
  const between = (a: tf.Tensor, b: tf.Tensor, share: number) =>
    tf.add(tf.mul(a, share), tf.mul(b, 1 - share));
  return {
    slots: { mean: 0 },
    update(parameters, gradient, slots, { rate }) {
      const before = slot(slots, 'mean');
      const direction = tf.sign(between(before, gradient, spec.beta1));
      return {
        parameters: tf.add(tf.mul(direction, tf.neg(rate)), parameters),
        slots: { mean: between(before, gradient, spec.beta2) },
      };
    },
  };
}

/** Where a schedule has come to 0, weights stay as they are. */
const leastRate = 1e-20;

/**
 * FTRL-proximal of each coordinate (McMahan et al. 2013, algorithm 1): z ← z + g − σ θ with σ =
 * (√(n + g²) − √n) / η; n ← n + g²; θ ← −sign(z) max(|z| − λ₁, 0) / ((β + √n) / η + λ₂). Of a θ
 * that is not 0 the last line says what z is: so the slot counts where θ is 0 alone, θ may begin
 * anywhere, and η may change.
 */
function ftrl({ beta, l1, l2 }: SpecOf<'ftrl'>): Optimizer {
  return {
    slots: { linear: 0, squares: 0 },
    update(parameters, gradient, slots, coefficients) {
      const rate = tf.maximum(coefficients.rate, leastRate);
      const strength = (root: tf.Tensor) => tf.add(tf.div(tf.add(root, beta), rate), l2);
      const before = slot(slots, 'squares');
      const squares = tf.add(before, tf.square(gradient));
      const [rootBefore, root] = [tf.sqrt(before), tf.sqrt(squares)];
      const sign = tf.sign(parameters);
      const own = tf.add(tf.mul(parameters, strength(rootBefore)), tf.mul(sign, l1));
      const isZero = tf.sub(1, tf.square(sign));
      const sigma = tf.div(tf.sub(root, rootBefore), rate);
      const linear = tf.add(
        tf.sub(tf.mul(slot(slots, 'linear'), isZero), own),
        tf.sub(gradient, tf.mul(sigma, parameters)),
      );
      const beyond = tf.relu(tf.sub(tf.abs(linear), l1));
      return {
        parameters: tf.neg(tf.div(tf.mul(tf.sign(linear), beyond), strength(root))),
        slots: { linear, squares },
      };
    },
  };
}

function slot(slots: Slots<tf.Tensor>, name: string): tf.Tensor {
  const value = slots[name];
  if (value === undefined) throw new Error(`optimizer slot ${name} is missing`);
  return value;
}
