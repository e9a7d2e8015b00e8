import type { Floats } from '../features/samples.ts';

/**
 * One row of predictions, [count, outputs]: values, a probability, or a probability for each class.
 */
export type Prediction = {
  readonly predictions: Floats;
  readonly row: number;
  readonly outputs: number;
};
