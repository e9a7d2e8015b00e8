import type { OptimizerSpec } from '../spec/spec.ts';

/** Numbers that an optimizer needs in one step, by name. */
export type Coefficients<Value> = {
  readonly rate: Value;
  readonly epsilon: Value;
  /** The share of each weight that the step takes away, of specs that say so. */
  readonly decay?: Value | undefined;
};

/** The names of the numbers that an optimizer needs. */
export function coefficientNames({
  weightDecay,
}: OptimizerSpec): readonly (keyof Coefficients<number>)[] {
  return weightDecay === undefined ? ['rate', 'epsilon'] : ['rate', 'epsilon', 'decay'];
}

/**
 * The numbers that an optimizer needs in one step beside the gradient. Corrections for the number
 * of steps so far are computed here, in float64 and once a step, instead of in vectors.
 *
 * @param rate the learning rate of the step
 * @param step gradient steps that the state has made before it
 */
export function coefficientsOf(
  spec: OptimizerSpec,
  rate: number,
  step: number,
): Coefficients<number> {
  const { weightDecay } = spec;
  const own = withoutDecay(spec, rate, step);
  return weightDecay === undefined ? own : { ...own, decay: rate * weightDecay };
}

function withoutDecay(spec: OptimizerSpec, rate: number, step: number): Coefficients<number> {
  const epsilon = 'epsilon' in spec ? spec.epsilon : 0;
  switch (spec.type) {
    case 'adam': {
      // Of m̂ and v̂, the factors that the slots leave out and the corrections for their start at
      // 0.
      const mean = (1 - spec.beta1) / (1 - spec.beta1 ** (step + 1));
      const deviation = Math.sqrt((1 - spec.beta2) / (1 - spec.beta2 ** (step + 1)));
      const scale = spec.epsilonHat ? Math.sqrt(1 - spec.beta2) : deviation;
      return { rate: (rate * mean) / deviation, epsilon: epsilon / scale };
    }
    case 'adamax':
      return { rate: (rate * (1 - spec.beta1)) / (1 - spec.beta1 ** (step + 1)), epsilon };
    case 'sgd':
    case 'momentum':
    case 'nesterov':
    case 'rmsprop':
    case 'adagrad':
    case 'adadelta':
    case 'lion':
    case 'ftrl':
      return { rate, epsilon };
  }
}
