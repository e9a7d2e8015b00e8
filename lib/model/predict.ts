import { derive } from '../features/derived.ts';
import type { EncodedSamples, Floats } from '../features/samples.ts';
import { inOwnUnit, labelScaleOf, predictionRange, standardize } from '../features/statistics.ts';
import { type Scores, score } from '../metrics/scores.ts';
import type { Parameters } from '../state/state.ts';
import type { Model } from './model.ts';

/** The parts of a model that prediction needs. */
export type Predictor = Pick<Model, 'spec' | 'compiled' | 'encoder' | 'scaling'>;

/**
 * What a model predicts with some parameters: values in the label's unit, probabilities of true, or a probability for
 * each class.
 *
 * @param samples raw numbers, [count]; labels are not read
 * @returns [count, outputs]
 */
export async function predict(
  { compiled, encoder, scaling }: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Floats> {
  return (await predictEach({ compiled, encoder, scaling }, parameters, samples)).predictions;
}

/** What a model predicts, and what each of its experts does where it has some. */
export type Predicted = {
  /** See {@link predict}. */
  readonly predictions: Floats;
  /** As the networks learn labels, [count, outputs] each. */
  readonly each?: readonly Float32Array[];
};

/** {@link predict}, and what each expert says. */
export async function predictEach(
  { compiled, encoder, scaling }: Omit<Predictor, 'spec'>,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Predicted> {
  const { statistics } = parameters;
  const derived = derive(samples, statistics, encoder.layout);
  const seen = standardize(derived, statistics, scaling);
  const scale = labelScaleOf(statistics, encoder.layout);
  const { experts } = compiled;
  if (experts === undefined)
    return { predictions: inOwnUnit(await compiled.predict(parameters, seen), scale) };
  const range = predictionRange(statistics, scale);
  const each = (await experts.predictEach(parameters, seen)).map((own) => within(own, range));
  return { predictions: inOwnUnit(experts.mix(parameters, each), scale), each };
}

/** Predictions no further than a range. */
function within(
  predictions: Float32Array,
  range: readonly [least: number, greatest: number] | undefined,
): Float32Array {
  if (range === undefined) return predictions;
  const [least, greatest] = range;
  return predictions.map((value) => Math.min(Math.max(value, least), greatest));
}

/** The scores that some parameters earn on labelled samples. */
export async function evaluate(
  model: Predictor,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Scores> {
  return score(model.spec, await predict(model, parameters, samples), samples);
}
