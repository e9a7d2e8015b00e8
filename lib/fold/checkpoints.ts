import { putOverOlder, putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys, sequenceOfCheckpoint } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore, StoredObject } from '../bucket/object-store.ts';
import { type EntryHeader, isReplacing } from '../commands/commands.ts';
import { isOfKind, MillraceError } from '../errors.ts';
import { readHeader } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { fitsModel, initialState, type Model, modelOf } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { bytesOfParameters, decodeCheckpoint, encodeCheckpoint } from '../state/checkpoint-file.ts';
import type { Parameters, State } from '../state/state.ts';

/**
 * The published checkpoint with its ETag. A checkpoint is only a cache of the journal: one that is
 * missing, damaged, a different model's or ahead of the journal is passed over, and the last kept
 * one is taken, or the initial state.
 */
export async function loadCheckpoint(
  ports: Ports,
  model: Model,
): Promise<Published & { readonly state: State }> {
  const key = keys.state(model.name);
  const object = await ports.store.get(key);
  const published = object && (await usableState(ports, model, key, object));
  const state = published ?? (await lastCheckpoint(ports, model));
  const publishedAt = published?.sequence ?? Number.NEGATIVE_INFINITY;
  return { state, etag: object?.etag, publishedAt };
}

/**
 * The last kept checkpoint up to an entry that can be used, or the initial state if there is none.
 */
export async function lastCheckpoint(
  ports: Ports,
  model: Model,
  sequence = Number.POSITIVE_INFINITY,
): Promise<State> {
  const read: ReadState = (key, object) => usableState(ports, model, key, object);
  return (await lastKept(ports.store, model.name, read, sequence)) ?? initialState(model);
}

/** Reads a stored state; undefined if it is none to go on from. */
type ReadState = (key: string, object: StoredObject) => Promise<State | undefined>;

/** The newest kept checkpoint up to an entry that can be read. */
async function lastKept(
  store: ObjectStore,
  model: string,
  read: ReadState,
  sequence = Number.POSITIVE_INFINITY,
): Promise<State | undefined> {
  const kept = await store.list(keys.checkpoints(model));
  for (const { key } of kept.toReversed()) {
    const place = sequenceOfCheckpoint(key) ?? Number.NaN;
    if (!(place <= sequence)) continue;
    const object = await store.get(key);
    const state = object && (await read(key, object));
    // One under another entry's key would be taken for that entry's.
    if (state?.sequence === place) return state;
  }
  return undefined;
}

/** The published state of a model, if the journal confirms it. */
export async function publishedState(ports: StatePorts, model: string): Promise<State | undefined> {
  const key = keys.state(model);
  const object = await ports.store.get(key);
  return object && readState(ports, model, key, object);
}

/** The newest stored state that the journal confirms, of whatever spec. */
export async function lastState(ports: StatePorts, model: string): Promise<State | undefined> {
  const read: ReadState = (key, object) => readState(ports, model, key, object);
  return (await publishedState(ports, model)) ?? lastKept(ports.store, model, read);
}

/**
 * A stored state that a model can go on from, by whichever of its specs; undefined, with a line in
 * the log, for any other.
 */
export async function usableState(
  ports: UsableStatePorts,
  model: Model,
  key: string,
  object: StoredObject,
): Promise<State | undefined> {
  const state = await readState(ports, model.name, key, object);
  if (state === undefined) return undefined;
  const own = await modelOf(ports, model, state.specHash);
  if (own !== undefined && fitsModel(own, state)) return state;
  ports.log.warn('a stored state is passed over', { key, reason: 'it is of a different spec' });
  return undefined;
}

/** What reading a stored state needs. */
export type StatePorts = Pick<Ports, 'store' | 'log'>;

/** What telling whether a stored state can be used needs besides: its spec is compiled. */
export type UsableStatePorts = StatePorts & Pick<Ports, 'engine'>;

/**
 * A stored state of a model, if the journal confirms it; undefined, with a line in the log, for any
 * other: one that is damaged, a different model's, or ahead of the journal is never believed.
 */
export async function readState(
  { store, log }: StatePorts,
  model: string,
  key: string,
  { body }: StoredObject,
): Promise<State | undefined> {
  const passOver = (reason: string) => {
    log.warn('a stored state is passed over', { key, reason });
    return undefined;
  };
  try {
    const state = decodeCheckpoint(body);
    if (state.model !== model) return passOver(`it is of model ${state.model}`);
    if (state.sequence === 0) return state;
    const header = await headerOf(store, state);
    if (header === undefined) return passOver('the journal does not confirm it');
    // Releases before 0.6 did not say it: who made the last entry made the state.
    const { engine: entryArithmetic } = header;
    return { ...state, arithmetic: state.arithmetic ?? entryArithmetic, entryArithmetic };
  } catch (error) {
    if (isOfKind(error, 'corrupt')) return passOver(error.message);
    throw error;
  }
}

/**
 * Whether a state is one of the journal that is stored: its last entry is there, and is the same.
 *
 * @param etag of that entry, if it is known: then it need not be read
 */
export async function isOfJournal(
  store: ObjectStore,
  state: Place,
  etag?: string,
): Promise<boolean> {
  if (state.sequence === 0) return true;
  const key = keys.entry(state.model, state.sequence);
  if (etag !== undefined && (await store.getChanged(key, etag)) === 'unchanged') return true;
  return (await headerOf(store, state)) !== undefined;
}

/** Where a state is in its journal. */
type Place = Pick<State, 'model' | 'sequence' | 'nonce'>;

/** The entry that a state is at; undefined if the journal has another one there, or none. */
async function headerOf(
  store: ObjectStore,
  { model, sequence, nonce }: Place,
): Promise<EntryHeader | undefined> {
  const header = await readHeader(store, model, sequence);
  return nonce === undefined || header?.nonce === nonce ? header : undefined;
}

/** What is known of the published state, as it was read or written last. */
export type Published = {
  /** Its ETag; undefined if there was none, or a newer one. */
  readonly etag: string | undefined;
  /** The entry that it is at; −∞ if there is none that can be used, so that one is due. */
  readonly publishedAt: number;
  /** How long it took to learn or fold the entries behind it, as far as that is known. */
  readonly foldSeconds?: number;
};

/** What an invocation knows when it publishes. */
export type Publication = Published & {
  /** Whether it has committed an entry. */
  readonly hasCommitted: boolean;
  /** Whether one that it committed or read replaced the weights. */
  readonly hasReplaced: boolean;
};

/**
 * Writes the state as the newest checkpoint where it is due: after an entry that replaced the
 * weights, after every `publishEvery`th entry ({@link entriesAPublication} unless a spec says it),
 * where it takes {@link limits.foldSeconds} to fold what is behind the published one, and when a
 * redelivery finds its messages settled; where somebody died before he did it, whoever comes next
 * does. The published checkpoint never goes back: if a newer one was published meanwhile, nothing
 * is written.
 *
 * @returns what is known of the published checkpoint now, for the next invocation
 * @throws MillraceError kind `unavailable` if other weights are in place and readers, who stop before
 *   their entry, cannot be told
 */
export async function publish(
  ports: BucketPorts & StatePorts,
  model: Model,
  state: State,
  { hasCommitted, hasReplaced, ...before }: Publication,
): Promise<Published> {
  const { etag, publishedAt, foldSeconds = 0 } = before;
  const { publishEvery = entriesAPublication(state) } = model.spec.online;
  const timesDue = (sequence: number) => Math.floor(sequence / publishEvery);
  const isSlow = foldSeconds >= limits.foldSeconds;
  const isPast = isSlow || timesDue(state.sequence) > timesDue(publishedAt);
  const isDue = etag === undefined || !hasCommitted || hasReplaced || isPast;
  if (state.sequence === 0 || !isDue) return before;
  const body = encodeCheckpoint(state);
  let isOvertaken = false;
  const key = keys.state(model.name);
  const stays = async (current: Uint8Array) => {
    const published = await readState(ports, model.name, key, { body: current, etag: '' });
    if (published === undefined) return false;
    isOvertaken = published.sequence > state.sequence;
    return published.sequence >= state.sequence;
  };
  const published = await putOverOlder(ports, key, body, { etag, stays });
  // The ETag of a newer one would let this state be put over it; and what could not be written is
  // due again.
  if (isOvertaken) return { etag: undefined, publishedAt };
  if (published === undefined && hasReplaced)
    throw new MillraceError(
      'unavailable',
      `entry ${state.sequence} of ${model.name} put other weights in place, and their state could not be published`,
    );
  if (published === undefined) return { etag: undefined, publishedAt };
  return { etag: published, publishedAt: state.sequence };
}

/**
 * After how many entries a state is published: a delivery writes a MiB of it on average, however
 * large it is, as long as those who read it need not read more than some entries behind it.
 */
export function entriesAPublication(state: Parameters): number {
  const due = Math.ceil(bytesOfParameters(state) / limits.publishedBytes);
  return Math.max(1, Math.min(due, limits.entriesBehind));
}

/**
 * Keeps the checkpoints of promotions, rollbacks and every {@link limits.keptCheckpointEntries}th
 * entry.
 */
export async function keepCheckpoint(
  ports: BucketPorts,
  model: Model,
  state: State,
  header: EntryHeader,
): Promise<void> {
  const { sequence } = header;
  if (!isReplacing(header) && sequence % ports.limits.keptCheckpointEntries !== 0) return;
  await keepState(ports, model, state);
}

/** Keeps a state of the journal, so that folding again can start from it. */
export async function keepState(ports: BucketPorts, model: Model, state: State): Promise<void> {
  const key = keys.checkpoint(model.name, state.sequence);
  await putUntilAnswered(ports, key, encodeCheckpoint(state), { ifNoneMatch: '*' });
}
