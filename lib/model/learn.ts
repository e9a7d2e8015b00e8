import { isFiniteState } from '../engine/finite.ts';
import { invariant } from '../errors.ts';
import { type EncodedSamples, sliceSamples } from '../features/samples.ts';
import {
  labelScaleOf,
  mergeStatistics,
  standardize,
  standardizeLabels,
  statisticsOf,
} from '../features/statistics.ts';
import type { Scores } from '../metrics/scores.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Parameters } from '../state/state.ts';
import type { Model } from './model.ts';
import { evaluate } from './predict.ts';

/**
 * The result of learning a message: new parameters, and the scores that the old ones earned on it.
 */
export type Learned =
  | { readonly ok: true; readonly parameters: Parameters; readonly scores: Scores }
  | Refused<'diverged'>;

/**
 * The parameters after learning one message, and the scores that the old ones earned on it
 * (progressive validation: test, then train; Gama et al. 2013). Minibatches are cut inside the
 * message and feature statistics advance with them, so how deliveries group messages changes no
 * bit. Arguments are untouched.
 *
 * @param samples raw numbers, cut into ⌈count / minibatch⌉ gradient steps, in order
 */
export async function learn(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Learned> {
  const scores = await evaluate(model, parameters, samples);
  if (!Number.isFinite(scores.loss))
    return refuse('diverged', 'the loss before learning is not finite');
  const trained = await learnWithoutTest(model, parameters, samples);
  if (!isFiniteState(trained.tensors)) {
    return refuse('diverged', 'a weight or optimizer slot would not be finite after learning it');
  }
  return { ok: true, parameters: trained, scores };
}

/** The parameters after learning one message, as {@link learn} computes them. */
export async function learnWithoutTest(
  { spec, compiled, encoder, standardized }: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Parameters> {
  const { minibatch, schedule, rate = spec.optimizer.rate } = spec.online;
  let { statistics } = parameters;
  const numbers = new Float32Array(samples.raw.length);
  const labels = new Float32Array(samples.count);
  const { numberWidth } = encoder.layout;
  for (let start = 0; start < samples.count; start += minibatch) {
    const part = sliceSamples(samples, start, start + minibatch, encoder.layout);
    statistics = mergeStatistics(statistics, statisticsOf(part, encoder.layout));
    numbers.set(standardize(part, statistics, standardized).numbers, start * numberWidth);
    labels.set(standardizeLabels(part.labels, labelScaleOf(statistics, encoder.layout)), start);
  }
  const { state } = await compiled.train(
    parameters,
    { ...samples, numbers, raw: numbers, labels },
    { minibatch, rate, schedule },
  );
  return { ...state, statistics };
}

/**
 * Learns samples of the journal again. They were learnt once, so they must encode and train now.
 */
export async function relearn(
  model: Model,
  parameters: Parameters,
  samples: readonly unknown[],
): Promise<Parameters> {
  const { samples: encoded, refused } = model.encoder.encode(samples);
  invariant(
    refused.length === 0,
    `a learnt sample of ${model.name} is refused now: ${JSON.stringify(refused[0])}`,
  );
  return learnWithoutTest(model, parameters, encoded);
}
