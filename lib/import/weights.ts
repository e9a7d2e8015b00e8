import type { Tensor, Tensors } from '../engine/engine.ts';
import type { FeatureStatistics } from '../features/statistics.ts';

/** What a file holds of a network that somebody trained. */
export type Weights = {
  /** Its layers, where the file describes them: as `model.toJSON()` of tfjs, or as Keras. */
  readonly topology?: Readonly<Record<string, unknown>>;
  /** Its weights: by their names in a state, or those of each layer in the order of Keras. */
  readonly weights: Tensors | ReadonlyMap<string, readonly Tensor[]>;
  /** What its inputs were standardised by, where Millrace wrote the file. */
  readonly statistics?: FeatureStatistics;
  /** The spec of the model that learnt them, where the file says it. */
  readonly spec?: unknown;
};
