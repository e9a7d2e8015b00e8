import type { Run } from '../engine/engine.ts';
import { isFiniteState } from '../engine/finite.ts';
import { invariant } from '../errors.ts';
import { derive, withTargetsOf } from '../features/derived.ts';
import { type EncodedSamples, sliceSamples } from '../features/samples.ts';
import {
  labelScaleOf,
  mergeStatistics,
  standardize,
  standardizeLabels,
  statisticsOf,
} from '../features/statistics.ts';
import { type Scores, score } from '../metrics/scores.ts';
import { type Refused, refuse } from '../refusal.ts';
import { keepSome, type Rehearsal, rehearse } from '../state/replay.ts';
import type { Parameters } from '../state/state.ts';
import type { Model } from './model.ts';
import { predictEach } from './predict.ts';

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
  const { predictions, each } = await predictEach(model, parameters, samples);
  const scores = score(model.spec, predictions, samples);
  if (!Number.isFinite(scores.loss))
    return refuse('diverged', 'the loss before learning is not finite');
  const trained = await train(model, judged(model, parameters, samples, each), samples);
  if (!isFiniteState(trained.tensors)) {
    return refuse('diverged', 'a weight or optimizer slot would not be finite after learning it');
  }
  return { ok: true, parameters: trained, scores };
}

/** The parameters after learning one message, as {@link learn} computes them. */
export async function learnWithoutTest(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Parameters> {
  if (model.compiled.experts === undefined) return train(model, parameters, samples);
  const { each } = await predictEach(model, parameters, samples);
  return train(model, judged(model, parameters, samples, each), samples);
}

/** The parameters in which experts count by what they predicted of a message. */
function judged(
  { compiled, encoder }: Model,
  parameters: Parameters,
  samples: EncodedSamples,
  each: readonly Float32Array[] = [],
): Parameters {
  const scale = labelScaleOf(parameters.statistics, encoder.layout);
  // Of labels that have not varied yet there is nothing to predict.
  if (compiled.experts === undefined || scale?.deviation === 0) return parameters;
  const labels = standardizeLabels(samples.labels, scale);
  const judgement = { each, labels, unit: scale?.deviation ?? 1 };
  return { ...parameters, ...compiled.experts.judge(parameters, judgement) };
}

/** The parameters in which experts count by what they predict of samples that none has learnt. */
export async function withChosenExperts(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Parameters> {
  const { compiled, encoder } = model;
  if (compiled.experts === undefined || samples.count === 0) return parameters;
  const { each = [] } = await predictEach(model, parameters, samples);
  const scale = labelScaleOf(parameters.statistics, encoder.layout);
  const labels = standardizeLabels(samples.labels, scale);
  const judgement = { each, labels, unit: scale?.deviation ?? 1 };
  return { ...parameters, ...compiled.experts.choose(parameters, judgement) };
}

/** The parameters after gradient steps over a message. */
async function train(
  { spec, compiled, encoder: { layout }, scaling }: Model,
  parameters: Parameters,
  encoded: EncodedSamples,
): Promise<Parameters> {
  // What the message itself says of labels is known after it alone.
  const samples = derive(encoded, parameters.statistics, layout);
  const { minibatch, schedule, rate = spec.optimizer.rate } = spec.online;
  const { replay } = parameters;
  const rehearsal = replay && rehearse(spec, replay, samples, layout);
  const { factor, samples: all } = rehearsal ?? { factor: 1, samples };
  let { statistics } = parameters;
  const labels = new Float32Array(all.count);
  const parts: EncodedSamples[] = [];
  for (let start = 0; start < samples.count; start += minibatch) {
    const fresh = sliceSamples(samples, start, start + minibatch, layout);
    statistics = mergeStatistics(statistics, statisticsOf(fresh, layout));
    const part = sliceSamples(all, start * factor, (start + minibatch) * factor, layout);
    parts.push(standardize(part, statistics, scaling));
    const scale = labelScaleOf(statistics, layout);
    labels.set(standardizeLabels(part.labels, scale), start * factor);
  }
  const seen = { ...all, ...joinedNumbers(parts, all.raw.length), labels };
  const run = { rate, schedule, ...minibatches(minibatch, samples.count, rehearsal) };
  const { state } = await compiled.train(parameters, seen, run);
  const learnt = standardizeLabels(samples.labels, labelScaleOf(statistics, layout));
  const settled = compiled.experts?.settle(state, learnt) ?? state;
  return {
    ...settled,
    statistics: withTargetsOf(statistics, samples, layout),
    ...(replay && { replay: keepSome(spec, replay, samples, layout) }),
  };
}

/** Minibatches up to this size have a program for each size below. */
const fewSamples = 16;

/** How the samples of a message are cut: as declared, and with what is replayed among them. */
function minibatches(minibatch: number, samples: number, rehearsal?: Rehearsal): Omit<Run, 'rate'> {
  if (rehearsal === undefined) return { minibatch };
  // A step of few samples computes no more rows than it has: a program for each of few sizes.
  const rows = minibatch > fewSamples ? minibatch : Math.min(minibatch, samples);
  return {
    minibatch: rows * rehearsal.factor,
    replayed: { without: { order: rehearsal.fresh, minibatch: rows } },
  };
}

/** The standardised numbers of some parts as one. */
function joinedNumbers(parts: readonly EncodedSamples[], length: number) {
  const join = (ownOf: (part: EncodedSamples) => Float32Array | undefined) => {
    const joined = new Float32Array(length);
    let offset = 0;
    for (const part of parts) {
      const own = ownOf(part) ?? new Float32Array(0);
      joined.set(own, offset);
      offset += own.length;
    }
    return joined;
  };
  const numbers = join((part) => part.numbers);
  const views = parts[0]?.views?.map((_, view) => join((part) => part.views?.[view]));
  return { numbers, raw: numbers, ...(views && { views }) };
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
