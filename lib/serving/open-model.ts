import { keys } from '../bucket/keys.ts';
import { invalid } from '../errors.ts';
import { isOfJournal, loadCheckpoint } from '../fold/checkpoints.ts';
import { applyEntry, reachOf } from '../fold/fold.ts';
import { readEntry } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { loadModel, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import { judge } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
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

/** The journal, or what could be read of it in time, does not reach what was asked for. */
export type NotReached = Refused<'not-reached'>;

/** A model that answers. It keeps its newest state in memory. */
export type OpenModel = {
  readonly name: string;
  /** Its spec, and its state as it was looked at last. */
  readonly spec: () => Spec;
  readonly state: () => State;
  /**
   * Predicts samples: features by name; a label is not needed, and not read.
   *
   * @param secondsLeft for reading on in the journal
   * @throws MillraceError kind `invalid` if the model is gone, `unavailable` if S3 does not answer
   */
  readonly predict: (
    samples: readonly unknown[],
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
  /** When it was looked at last, in milliseconds since 1970. */
  readonly lookedAt: number;
};

/**
 * Opens a model for predictions: `const model = await openModel(ports, 'demand')`, then `await
 * model.predict([{ features: { hour: 18 } }])`.
 *
 * @throws MillraceError kind `invalid` if there is no such model
 */
export async function openModel(ports: Ports, name: string): Promise<OpenModel> {
  let loaded = await load(ports, name);
  let looking: Promise<Loaded> | undefined;
  /** One look at a time serves all who ask meanwhile. */
  const look = async () => {
    looking ??= lookAgain(ports, loaded).finally(() => {
      looking = undefined;
    });
    loaded = await looking;
  };
  return {
    name,
    spec: () => loaded.model.spec,
    state: () => loaded.state,
    async predict(samples, { maxAgeSeconds = limits.stateAgeSeconds, atLeast } = {}, secondsLeft) {
      const age = ports.now() - loaded.lookedAt;
      const hasReached = () => atLeast === undefined || reaches(ports, loaded.state, atLeast);
      if (age >= maxAgeSeconds * 1_000 || age < 0 || !hasReached()) await look();
      if (atLeast !== undefined && !hasReached()) {
        loaded = await readOn(ports, loaded, atLeast, secondsLeft);
        if (!hasReached()) return notReached(loaded.state, atLeast);
      }
      const { model, state, time } = loaded;
      const predicted = await predictSamples(model, state, samples);
      return { ok: true, ...inUse(ports, state, time), ...predicted };
    },
  };
}

async function load(ports: Ports, name: string): Promise<Loaded> {
  const spec = await ports.store.get(keys.spec(name));
  const model = spec && (await loadModel(ports, name));
  if (spec === undefined || model === undefined) throw invalid(`there is no model ${name}`);
  const { state, etag } = await loadCheckpoint(ports, model);
  const time = await timeOf(ports, state);
  return { model, specEtag: spec.etag, state, etag, time, lookedAt: ports.now() };
}

/** The newest published state, and the spec if that is another one by now. */
async function lookAgain(ports: Ports, before: Loaded): Promise<Loaded> {
  const { store, now } = ports;
  const { model, specEtag, etag } = before;
  const lookedAt = now();
  if ((await store.getChanged(keys.spec(model.name), specEtag)) !== 'unchanged')
    return load(ports, model.name);
  const isSame =
    etag !== undefined && (await store.getChanged(keys.state(model.name), etag)) === 'unchanged';
  if (isSame) return { ...before, lookedAt };
  const newer = await loadCheckpoint(ports, model);
  const { state } = before;
  // What was read on may be ahead of what is published; unless it is of a journal that is gone.
  if (newer.state.sequence < state.sequence && (await isOfJournal(store, state)))
    return { ...before, etag: newer.etag, lookedAt };
  const time = await timeOf(ports, newer.state);
  return { model, specEtag, state: newer.state, etag: newer.etag, time, lookedAt };
}

/** Folds what the journal holds after the published state, as far as it is asked for. */
async function readOn(
  ports: Ports,
  before: Loaded,
  atLeast: NonNullable<Freshness['atLeast']>,
  secondsLeft: () => number = () => Number.POSITIVE_INFINITY,
): Promise<Loaded> {
  const { model } = before;
  const shouldStop = () => secondsLeft() < limits.answerReserveSeconds;
  const reach = reachOf(ports, model, shouldStop);
  let { state } = before;
  while (!reaches(ports, state, atLeast) && !shouldStop()) {
    const entry = await readEntry(ports.store, model.name, state.sequence + 1);
    if (entry === undefined) break;
    state = await applyEntry(ports, reach, state, entry);
  }
  return { ...before, state, time: await timeOf(ports, state) };
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
  return sequence === 0 ? undefined : (await readEntry(store, model, sequence))?.header.time;
}

function inUse(ports: Ports, state: State, time: string | undefined): StateInUse {
  const { model, sequence, specHash: spec } = state;
  if (time === undefined) return { model, sequence, spec };
  const ageSeconds = Math.max(0, (ports.now() - Date.parse(time)) / 1_000);
  return { model, sequence, spec, time, ageSeconds };
}
