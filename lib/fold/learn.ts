import { invariant } from '../errors.ts';
import { type EncodedSamples, sliceSamples } from '../features/samples.ts';
import { mergeStatistics, standardize, statisticsOf } from '../features/statistics.ts';
import { type Scores, score } from '../metrics/scores.ts';
import { isFiniteState, type Parameters } from '../state/state.ts';
import type { Model } from './model.ts';

/** What a message taught: new parameters and the scores that the old ones earned on it, or why nothing. */
export type Learned =
  | { readonly ok: true; readonly parameters: Parameters; readonly scores: Scores }
  | { readonly ok: false; readonly reason: string };

/**
 * The parameters after learning one message, and the scores that the old ones earned on it (progressive
 * validation: test, then train; Gama et al. 2013). Minibatches are cut inside the message and feature
 * statistics advance with them, so how deliveries group messages changes no bit. Arguments are untouched.
 *
 * @param samples raw numbers, cut into ⌈count / minibatch⌉ gradient steps, in order
 */
export async function learn(model: Model, parameters: Parameters, samples: EncodedSamples): Promise<Learned> {
  const { spec, compiled, standardized } = model;
  const tested = standardize(samples, parameters.statistics, standardized);
  const scores = score(spec, await compiled.predict(parameters, tested), samples);
  if (!Number.isFinite(scores.loss)) return { ok: false, reason: 'the loss before learning is not finite' };
  const trained = await learnWithoutTest(model, parameters, samples);
  if (!isFiniteState(trained.tensors)) {
    return { ok: false, reason: 'a weight or optimizer slot would not be finite after learning it' };
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
  const numbers = samples.numbers.slice();
  const { numberWidth } = encoder.layout;
  for (let start = 0; start < samples.count; start += minibatch) {
    const part = sliceSamples(samples, start, start + minibatch, encoder.layout);
    statistics = mergeStatistics(statistics, statisticsOf(part, encoder.layout));
    numbers.set(standardize(part, statistics, standardized).numbers, start * numberWidth);
  }
  const { state } = await compiled.train(parameters, { ...samples, numbers }, { minibatch, rate, schedule });
  return { ...state, statistics };
}

/** Learns samples of the journal again: they were learnt once, so they must encode and train now. */
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
