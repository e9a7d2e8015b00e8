import type { EngineState, Run } from '../engine/engine.ts';
import type { Judgement } from '../engine/experts/judgement.ts';
import { isFiniteState } from '../engine/finite.ts';
import { invariant } from '../errors.ts';
import { weighed } from '../features/class-weights.ts';
import { placed, withClassesOf } from '../features/classes.ts';
import { derive, withHistoryOf } from '../features/derived.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { type EncodedSamples, type Floats, rowsWithin, sliceSamples } from '../features/samples.ts';
import { haveVaried, labelScaleOf, standardizeLabels, unitOf } from '../features/scaling.ts';
import { withoutSurplus } from '../features/surplus.ts';
import { type Grown, grown, indexed } from '../features/vocabularies.ts';
import { limits } from '../limits.ts';
import { type Scores, score } from '../metrics/scores.ts';
import { categoryInput, tablesOfInput } from '../network/weight-names.ts';
import { type Refused, refuse } from '../refusal.ts';
import { isNetwork } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import { keepSome, rehearse } from '../state/replay.ts';
import type { Parameters } from '../state/state.ts';
import { weighedToLearn } from './answer-weights.ts';
import { raiseOf, withDrift } from './drift.ts';
import type { Model } from './model.ts';
import { withPlaces } from './places-of-classes.ts';
import { predictAndJudge, rowsAsBefore, rowsByWork, workOfLearning } from './predict.ts';
import { fixedScales, type Steps, scaledBy, scaledSteps } from './scaled-steps.ts';

/**
 * The result of learning a message: new parameters, and the scores that the old ones earned on it.
 */
export type Learned =
  | {
      readonly ok: true;
      readonly parameters: Parameters;
      readonly scores: Scores;
      /** The message as it was scored: its classes have places, and weigh as they did before. */
      readonly samples: EncodedSamples;
      /** What the old parameters predicted of it, [count, outputs]. */
      readonly predictions: Floats;
    }
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
  const { known, message } = withClasses(model, parameters, samples);
  const toLearn = weighedToLearn(message, model.spec, known.statistics);
  const { predictions, judgement } = await predictAndJudge(model, known, toLearn);
  const own = weighed(message, model.spec, known.statistics);
  const scores = score(model.spec, predictions, own);
  if (!Number.isFinite(scores.loss))
    return refuse(
      'diverged',
      'the loss before learning is not finite: where its numbers are usual ones, the weights have ' +
        'grown beyond all bounds before; go back by a rollback, and lower optimizer.rate',
    );
  const noticed = withDrift(model, known, own, predictions);
  const trained = await train(model, judgedFirst(model, noticed, { judgement, message }), message);
  if (!isFiniteState(trained.tensors)) {
    return refuse(
      'diverged',
      'a weight or optimizer slot would not be finite after learning it; where its numbers are ' +
        'usual ones, lower optimizer.rate',
    );
  }
  return { ok: true, parameters: trained, scores, samples: own, predictions };
}

/** The parameters after learning one message, as {@link learn} computes them. */
export async function learnWithoutTest(
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): Promise<Parameters> {
  const { experts } = model.compiled;
  const { known, message } = withClasses(model, parameters, samples);
  const isTold = experts !== undefined && !isJudgedWithinAlone(model, message);
  if (!isTold && parameters.drift === undefined) return train(model, known, message);
  const own = weighedToLearn(message, model.spec, known.statistics);
  const { predictions, judgement } = await predictAndJudge(model, known, own);
  const noticed = withDrift(model, known, own, predictions);
  return train(model, judgedFirst(model, noticed, { judgement, message }), message);
}

/** A message whose classes have places, and the parameters that know them. */
export function withClasses(
  { encoder: { layout } }: Model,
  parameters: Parameters,
  samples: EncodedSamples,
): { readonly known: Parameters; readonly message: EncodedSamples } {
  if (layout.growingClasses === undefined) return { known: parameters, message: samples };
  const statistics = withClassesOf(parameters.statistics, samples, layout);
  const known = withPlaces({ ...parameters, statistics }, layout);
  return { known, message: placed(samples, statistics, layout) };
}

/** So many samples tell experts apart before the next ones of a message do. */
const judgedSamples = 32;

/**
 * How many samples of a message are judged at a time while it is learnt, in whole minibatches;
 * undefined where it is judged as a whole alone, before any of it is learnt. A long message would
 * be learnt by a mixture that nothing of it has told apart, and the next one predicted by it.
 */
function samplesOfJudgement({ online, revision = 0 }: Spec, count: number): number | undefined {
  const { minibatch, experts = [], passes = 1 } = online;
  const samples = minibatch * Math.ceil(judgedSamples / minibatch);
  const isLong = count > samples && passes === 1 && revision >= 14;
  return isLong && experts.filter(isNetwork).length > 1 ? samples : undefined;
}

/**
 * The parameters in which experts count by what they lost on a message before it is learnt: that is
 * how they answer, whole messages behind what they have learnt, and it is not those who are soonest
 * to learn who answer best then.
 */
function judgedFirst(
  model: Model,
  parameters: Parameters,
  {
    judgement,
    message,
  }: { readonly judgement: Judgement | undefined; readonly message: EncodedSamples },
): Parameters {
  return isJudgedWithinAlone(model, message) ? parameters : judged(model, parameters, judgement);
}

/** Of revision 14, a message that is judged while it is learnt is not judged before. */
function isJudgedWithinAlone({ spec }: Model, { count }: EncodedSamples): boolean {
  return spec.revision === 14 && samplesOfJudgement(spec, count) !== undefined;
}

/** The parameters in which experts count by what they lost on some samples. */
function judged(
  { compiled, encoder }: Model,
  parameters: Parameters,
  judgement: Judgement | undefined,
): Parameters {
  const { experts } = compiled;
  // Of labels that have not varied yet there is nothing to predict.
  const isSaid = haveVaried(labelScaleOf(parameters.statistics, encoder.layout));
  if (experts === undefined || judgement === undefined || !isSaid) return parameters;
  return { ...parameters, ...experts.judge(parameters, judgement) };
}

/** The parameters after gradient steps over a message, some minibatches at a time. */
async function train(
  model: Model,
  parameters: Parameters,
  encoded: EncodedSamples,
): Promise<Parameters> {
  const { spec, compiled, encoder } = model;
  const { layout } = encoder;
  const { replay } = parameters;
  // A value of the message that is admitted is learnt with it.
  const growth = grown(parameters.statistics.vocabularies, encoded, layout);
  let state: EngineState = withRestarted(model, parameters, growth);
  const within = samplesOfJudgement(spec, encoded.count);
  const knowsMore = growth !== undefined && (spec.revision ?? 0) >= 15;
  const rows = rowsOfBlock(model, parameters, within);
  let { statistics } = parameters;
  const raised = raiseOf(spec, parameters.drift, encoded.count);
  // What the message itself says of labels is known after it alone.
  const weigh = (samples: EncodedSamples) => weighedToLearn(samples, spec, parameters.statistics);
  const derived = (samples: EncodedSamples) => derive(samples, parameters.statistics, layout);
  for (let first = 0; first < encoded.count; first += rows) {
    const fresh = sliceSamples(encoded, first, first + rows, layout);
    if (within !== undefined) {
      const known = { ...statistics, ...(knowsMore && { vocabularies: growth.vocabularies }) };
      const now = { ...parameters, ...state, statistics: known };
      const { judgement } = await predictAndJudge(model, now, weigh(fresh));
      state = { ...state, tensors: judged(model, now, judgement).tensors };
    }
    const block = derived(fresh);
    const rehearsal = replay
      ? rehearse(spec, replay, block, { layout, first })
      : { factor: 1, samples: block };
    const scaled = scaledSteps(model, statistics, block, rehearsal);
    statistics = scaled.statistics;
    const run = runOf(spec, encoded.count, rehearsal);
    const from = state.step;
    const factorAt = (step: number) => raised * (scaled.factors[step - from] ?? 1);
    const seen = indexed(weigh(scaled.seen), growth?.vocabularies, layout);
    const labelScaleAt = (step: number) => scaled.scales[step - from];
    const numberScaleAt = (step: number) => scaled.numberScales[step - from];
    const by = { factorAt, labelScaleAt, numberScaleAt };
    ({ state } = await compiled.train(state, seen, { ...run, ...by }));
  }
  const scales = fixedScales(model, statistics);
  const again = {
    ...runOf(spec, encoded.count, { factor: 1 }),
    ...scales,
    factorAt: (step: number) => raised * scales.factorAt(step),
    keepsWindows: true,
  };
  for (let pass = 1; pass < (spec.online.passes ?? 1); pass++)
    for (let first = 0; first < encoded.count; first += rows) {
      const block = derived(sliceSamples(encoded, first, first + rows, layout));
      const seen = indexed(weigh(scaledBy(model, statistics, block)), growth?.vocabularies, layout);
      ({ state } = await compiled.train(state, seen, again));
    }
  const scale = labelScaleOf(statistics, layout);
  const labels = standardizeLabels(encoded.labels, scale);
  const own = { labels: encoded.labels, scale };
  const known = { labels, weights: weigh(encoded).weights, unit: unitOf(scale), own };
  const settled = compiled.experts?.settle(state, known) ?? state;
  return {
    ...settled,
    ...(parameters.drift && { drift: parameters.drift }),
    statistics: {
      ...withHistoryOf(statistics, encoded, layout),
      ...(growth && { vocabularies: growth.vocabularies }),
    },
    ...(replay && { replay: keepSome(spec, replay, encoded, { layout, derived }) }),
  };
}

/** The state in which rows that stand for another value now have learnt nothing. */
function withRestarted({ compiled }: Model, state: EngineState, growth?: Grown): EngineState {
  const reused = growth?.reused.filter(({ rows }) => rows.size > 0) ?? [];
  if (reused.length === 0) return state;
  // (As its seed has them: weights that a model was given are of the values that they came with.)
  const restarted = reused.map(({ name, rows }) => ({
    tables: tablesOfInput(categoryInput(name)),
    rows,
  }));
  return compiled.restart(state, restarted);
}

/**
 * New samples that are learnt at a time: whole minibatches, with those that are replayed.
 *
 * @param within between how many experts are judged: as far as memory allows, all of them
 */
function rowsOfBlock(
  { spec, compiled, encoder }: Model,
  state: EngineState,
  within: number | undefined,
): number {
  const { minibatch, replay } = spec.online;
  const copies = 1 + (replay?.ratio ?? 0);
  // (How often experts are judged is to the bits; before revision 20 elements had a say in it.)
  const byRule = (spec.revision ?? 0) < 20 ? rowsAsBefore(state) : Number.MAX_SAFE_INTEGER;
  const work = workOfLearning(compiled, minibatch * copies);
  const most = within === undefined ? rowsByWork(work) : byRule;
  const rows = rowsWithin(most, encoder.layout, limits.blockBytes);
  const own = Math.max(1, Math.floor(rows / copies / minibatch)) * minibatch;
  return within === undefined ? own : Math.min(own, within);
}

/** Minibatches up to this size have a program for each size below. */
const fewSamples = 16;

/** How the samples of a message are cut: as declared, and with what is replayed among them. */
function runOf(
  { online, optimizer }: Spec,
  samples: number,
  { factor, fresh }: Pick<Steps, 'factor' | 'fresh'>,
): Run {
  const { minibatch, schedule, rate = optimizer.rate } = online;
  if (fresh === undefined) return { rate, schedule, minibatch };
  // A step of few samples computes no more rows than it has: a program for each of few sizes.
  const rows = minibatch > fewSamples ? minibatch : Math.min(minibatch, samples);
  const without = { order: fresh, minibatch: rows };
  return { rate, schedule, minibatch: rows * factor, replayed: { without } };
}

/**
 * Learns samples of the journal again. They were learnt once, so they must encode and train now.
 */
export async function relearn(
  model: Model,
  parameters: Parameters,
  samples: RawSamples,
): Promise<Parameters> {
  const encoding = model.encoder.encode(samples);
  const { refused } = encoding;
  invariant(
    refused.length === 0,
    `a learnt sample of ${model.name} is refused now: ${JSON.stringify(refused[0])}`,
  );
  const { layout } = model.encoder;
  // A job may have given the last places to classes of its dataset.
  const { samples: encoded } = withoutSurplus(layout, encoding, parameters.statistics);
  if (encoded.count === 0) return parameters;
  return learnWithoutTest(model, parameters, encoded);
}
