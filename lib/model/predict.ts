import type { EncodedSamples, Floats } from '../features/samples.ts';
import { inOwnUnit, labelScaleOf, standardize } from '../features/statistics.ts';
import { type Scores, score } from '../metrics/scores.ts';
import type { Parameters } from '../state/state.ts';
import type { Model } from './model.ts';

/** The parts of a model that prediction needs. */
export type Predictor = Pick<Model, 'spec' | 'compiled' | 'encoder' | 'standardized'>;

/**
 * What a model predicts with some parameters: values in the label's unit, probabilities of true, or a probability for
 * each class.
 *
 * @param samples raw numbers, [count]; labels are not read
 * @returns [count, outputs]
 */
export async function predict(
  { compiled, encoder, standardized }: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Floats> {
  const { statistics } = parameters;
  const values = await compiled.predict(parameters, standardize(samples, statistics, standardized));
  return inOwnUnit(values, labelScaleOf(statistics, encoder.layout));
}

/** The scores that some parameters earn on labelled samples. */
export async function evaluate(
  model: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Scores> {
  return score(model.spec, await predict(model, parameters, samples), samples);
}
