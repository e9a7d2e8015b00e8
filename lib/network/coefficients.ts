import type { OptimizerSpec } from '../spec/spec.ts';

/** Numbers that an optimizer needs in one step, by name. */
export type Coefficients<Value> = { readonly rate: Value; readonly epsilon: Value };

/**
 * What an optimizer needs of a step beside its gradient, in float64: corrections for how many steps there have been
 * are made here, once a step, and not in vectors.
 *
 * @param rate the learning rate of the step
 * @param step gradient steps that the state has made before it
 */
export function coefficientsOf(
  spec: OptimizerSpec,
  rate: number,
  step: number,
): Coefficients<number> {
  const epsilon = 'epsilon' in spec ? spec.epsilon : 0;
  switch (spec.type) {
    case 'adam': {
      // Of m̂ and v̂, the factors that the slots leave out and the corrections for their start at 0.
      const mean = (1 - spec.beta1) / (1 - spec.beta1 ** (step + 1));
      const deviation = Math.sqrt((1 - spec.beta2) / (1 - spec.beta2 ** (step + 1)));
      return { rate: (rate * mean) / deviation, epsilon: epsilon / deviation };
    }
    case 'adamax':
      return { rate: (rate * (1 - spec.beta1)) / (1 - spec.beta1 ** (step + 1)), epsilon };
    case 'sgd':
    case 'momentum':
    case 'nesterov':
    case 'rmsprop':
    case 'adagrad':
    case 'adadelta':
      return { rate, epsilon };
  }
}
