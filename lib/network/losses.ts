import { type LossName, lossesOfTask, type Spec } from '../spec/spec.ts';
import { crossEntropy } from './losses/cross-entropy.ts';
import { halfMeanSquaredError } from './losses/half-mean-squared-error.ts';
import { huber } from './losses/huber.ts';
import type { Loss } from './losses/loss.ts';
import { quantileLoss } from './losses/quantile.ts';

const losses = { halfMeanSquaredError, huber, crossEntropy } satisfies Record<LossName, Loss>;

/** The loss of a spec: the declared one, or the task's usual one. */
export function lossOf({ task, loss = lossesOfTask[task][0] }: Spec): Loss {
  return typeof loss === 'object' ? quantileLoss(loss.quantile) : losses[loss];
}

/**
 * Each sample's share of its minibatch, weight / Σ importance, [minibatch]; all 0 where no sample
 * has weight.
 */
export function sharesOf(weights: Float32Array, importance = weights): Float32Array {
  const sum = importance.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (sum > 0 ? weight / sum : 0));
}
