import { keys } from '../bucket/keys.ts';
import { isReplacing } from '../commands/commands.ts';
import { ifOutOfTime, invalid, outOfTime } from '../errors.ts';
import { isOfJournal, loadCheckpoint } from '../fold/checkpoints.ts';
import { applyEntry } from '../fold/fold.ts';
import { readEntry, readHeader } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { untilStopped } from '../model/interruptible.ts';
import { loadModel, type Model, modelOfState } from '../model/model.ts';
import { parse, show } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import { modelName } from '../spec/names.ts';
import { type ModelReference, nameOf, type QuestionOf } from '../spec/samples-of.ts';
import type { Spec } from '../spec/spec.ts';
import { judge } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import { keepQuestions } from './keep-questions.ts';
import { predictSamples, type SamplePredictions } from './predict-samples.ts';

/** How new the state must be that predicts. */
export type Freshness = {
  /**
   * Seconds for which a state is taken for the newest without looking; 0 looks each time, 5 unless
   * given.
   */
  readonly maxAgeSeconds?: number | undefined;
  /**
   * What the state must have learnt: the journal up to an entry, or a producer's message. So a
   * program reads its own writes.
   */
  readonly atLeast?: number | { readonly producer: string; readonly seq: number } | undefined;
};

/** The state that predicted. */
export type StateInUse = {
  readonly model: string;
  /** The journal entry up to which it has learnt; 0 before the first. */
  readonly sequence: number;
  /** The identity of the model's spec. */
  readonly spec: string;
  /** When that entry was committed, and how long ago; absent before the first. */
  readonly time?: string;
  readonly ageSeconds?: number;
};

/** Predictions, and the state that made them. */
export type Predicted = { readonly ok: true } & StateInUse & SamplePredictions;

/** The journal does not reach what was asked for yet. */
export type NotReached = Refused<'not-reached'>;

/** A model that answers. It keeps its newest state in memory. */
export type OpenModel<Question = unknown> = {
  readonly name: string;
  /** Its spec, and its state as it was looked at last. */
  readonly spec: () => Spec;
  readonly state: () => State;
  /**
   * Predicts samples: features by name; a label is not needed, and not read.
   *
   * @param secondsLeft for reading on in the journal, and for predicting
   * @throws MillraceError kind `invalid` if the model is gone, `unavailable` if S3 does not answer
   *   or there is no time for it, `corrupt` if it cannot be read
   */
  readonly predict: (
    samples: readonly Question[],
    freshness?: Freshness,
    secondsLeft?: () => number,
  ) => Promise<Predicted | NotReached>;
};

/** What is in memory of a model. */
type Loaded = {
  readonly model: Model;
  readonly specEtag: string;
  readonly state: State;
  /** Of the published state; undefined if there was none. */
  readonly etag: string | undefined;
  /** When the state's last entry was committed. */
  readonly time: string | undefined;
  /** When the look began that found it, in milliseconds since 1970. */
  readonly lookedAt: number;
  /** Whether there was time to read the journal to its end. */
  readonly isComplete: boolean;
};

/**
 * Opens a model for predictions: `const model = await openModel(ports, 'demand')`, then `await
 * model.predict([{ features: { hour: 18 } }])`. Its spec instead of its name types the samples. It
 * only reads, but for what is asked under an id: the newest published state, and the samples that
 * the journal holds after it.
 *
 * @throws MillraceError kind `invalid` if there is no such model
 */
export async function openModel<Reference extends ModelReference>(
  ports: Ports,
  reference: Reference,
): Promise<OpenModel<QuestionOf<Reference>>> {
  const name = parse(modelName, nameOf(reference), 'model');
  let loaded = await load(ports, name);
  let looking: Promise<void> | undefined;
  const looks = { begun: 0, done: 0 };
  /** One look at a time. */
  const look = async (secondsLeft: SecondsLeft) => {
    const own = ++looks.begun;
    try {
      loaded = await lookAgain(ports, loaded, secondsLeft);
      looks.done = own;
    } finally {
      looking = undefined;
    }
  };
  return {
    name,
    spec: () => loaded.model.spec,
    state: () => loaded.state,
    async predict(
      samples,
      { maxAgeSeconds = limits.stateAgeSeconds, atLeast } = {},
      secondsLeft = () => Number.POSITIVE_INFINITY,
    ) {
      if (!Array.isArray(samples))
        throw invalid(`samples: must be a list of samples (found ${show(samples)})`);
      const [askedAt, before] = [ports.now(), looks.begun];
      const hasReached = () => atLeast === undefined || reaches(ports, loaded.state, atLeast);
      const isFresh = () => {
        const age = askedAt - loaded.lookedAt;
        return looks.done > before || (age >= 0 && age < maxAgeSeconds * 1_000);
      };
      // A look serves all who asked before it began; the others wait for the next.
      for (let i = 0; i < 2 && !(isFresh() && hasReached()); i++) {
        looking ??= look(secondsLeft);
        await looking;
      }
      if (atLeast !== undefined && !hasReached()) return notReached(loaded.state, atLeast);
      const { model, state, time, isComplete } = loaded;
      if (!isComplete && atLeast === undefined)
        throw outOfTime(`reading the journal of ${name} (entry ${state.sequence} is reached)`);
      const what = `predicting ${samples.length} samples (ask for fewer at once)`;
      const shouldStop = (next: number) => isAlmostUp(secondsLeft, next);
      const until = { now: ports.now, shouldStop };
      const paced = untilStopped(model, until, what);
      const { predictions, unknown } = await predictSamples(paced, state, samples);
      const asked = { ...model, sequence: state.sequence, secondsLeft };
      const answers = await keepQuestions(ports, asked, samples, predictions);
      return { ok: true, ...inUse(ports, state, time), predictions: answers, unknown };
    },
  };
}

type SecondsLeft = () => number;

function isAlmostUp(secondsLeft: SecondsLeft, next = 0): boolean {
  return secondsLeft() - next < limits.answerReserveSeconds;
}

async function load(ports: Ports, name: string): Promise<Loaded> {
  const spec = await ports.store.get(keys.spec(name));
  const first = spec && (await loadModel(ports, name));
  if (spec === undefined || first === undefined) throw invalid(`there is no model ${name}`);
  const { state, etag } = await loadCheckpoint(ports, first);
  const model = await modelOfState(ports, first, state);
  // It is looked at before it predicts.
  const found = { state, etag, time: undefined, lookedAt: long, isComplete: false };
  return { model, specEtag: spec.etag, ...found };
}

/** The newest state: the published one, and what the journal holds after it. */
async function lookAgain(ports: Ports, before: Loaded, secondsLeft: SecondsLeft): Promise<Loaded> {
  const { store, now } = ports;
  const { model, specEtag } = before;
  const lookedAt = now();
  const isSameSpec = (await store.getChanged(keys.spec(model.name), specEtag)) === 'unchanged';
  const base = isSameSpec ? await newerPublished(ports, before) : await load(ports, model.name);
  const { state, isComplete } = await readOn(ports, base.model, base.state, secondsLeft);
  const isSame = base.time !== undefined && state.sequence === base.state.sequence;
  const time = isSame ? base.time : await timeOf(ports, state);
  return { ...base, state, time, isComplete, lookedAt: isComplete ? lookedAt : long };
}

/** When nobody looked yet. */
const long = Number.NEGATIVE_INFINITY;

/** The published state if it is another one by now, and is not behind what was read on already. */
async function newerPublished(ports: Ports, before: Loaded): Promise<Loaded> {
  const { model, state, etag } = before;
  const { store } = ports;
  const isSame =
    etag !== undefined && (await store.getChanged(keys.state(model.name), etag)) === 'unchanged';
  if (isSame) return before;
  const newer = await loadCheckpoint(ports, model);
  // Unless what was read on is of a journal that is gone.
  if (newer.state.sequence < state.sequence && (await isOfJournal(store, state)))
    return { ...before, etag: newer.etag };
  return {
    ...before,
    model: await modelOfState(ports, model, newer.state),
    state: newer.state,
    etag: newer.etag,
    time: undefined,
  };
}

/**
 * Folds the samples that the journal holds after a state. It stops before an entry that replaces
 * the weights: what that leads to is published at once, and a reader keeps no checkpoints on the
 * way.
 */
async function readOn(
  ports: Ports,
  model: Model,
  published: State,
  secondsLeft: SecondsLeft,
): Promise<{ readonly state: State; readonly isComplete: boolean }> {
  const shouldStop = (next?: number) => isAlmostUp(secondsLeft, next);
  let state = published;
  for (;;) {
    const entry = await readEntry(ports.store, model.name, state.sequence + 1);
    if (entry === undefined || isReplacing(entry.header)) return { state, isComplete: true };
    if (shouldStop()) return { state, isComplete: false };
    const next = await applyEntry(ports, { model, shouldStop }, state, entry).catch(ifOutOfTime);
    if (next === 'out-of-time') return { state, isComplete: false };
    state = next;
  }
}

function reaches(ports: Ports, state: State, atLeast: NonNullable<Freshness['atLeast']>): boolean {
  if (typeof atLeast === 'number') return state.sequence >= atLeast;
  return judge(state.ledger, { by: 'producer', ...atLeast }, ports.limits).verdict === 'settled';
}

function notReached({ sequence }: State, atLeast: NonNullable<Freshness['atLeast']>): NotReached {
  const what =
    typeof atLeast === 'object'
      ? `message ${atLeast.seq} of ${atLeast.producer}`
      : `entry ${atLeast}`;
  return refuse('not-reached', `atLeast: ${what} is not learnt at entry ${sequence}; ask again`);
}

async function timeOf({ store }: Ports, { model, sequence }: State): Promise<string | undefined> {
  return sequence === 0 ? undefined : (await readHeader(store, model, sequence))?.time;
}

function inUse(ports: Ports, state: State, time: string | undefined): StateInUse {
  const { model, sequence, specHash: spec } = state;
  if (time === undefined) return { model, sequence, spec };
  const ageSeconds = Math.max(0, (ports.now() - Date.parse(time)) / 1_000);
  return { model, sequence, spec, time, ageSeconds };
}
