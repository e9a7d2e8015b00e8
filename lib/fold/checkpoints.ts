import { putOverOlder, putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys, sequenceOfCheckpoint } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore, StoredObject } from '../bucket/object-store.ts';
import { type EntryHeader, isReplacing } from '../commands/commands.ts';
import { MillraceError, specChanged } from '../errors.ts';
import { fitsModel, initialState, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../state/checkpoint-file.ts';
import type { State } from '../state/state.ts';

/**
 * The published checkpoint with its ETag. A checkpoint is only a cache of the journal: if none was
 * written yet, or it was deleted, the last kept one is taken, or the initial state.
 *
 * @throws MillraceError kind `corrupt` if it is damaged, or belongs to a different spec
 */
export async function loadCheckpoint(
  ports: Ports,
  model: Model,
): Promise<{ readonly state: State; readonly etag?: string }> {
  const key = keys.state(model.name);
  const object = await ports.store.get(key);
  if (object === undefined) return { state: await lastCheckpoint(ports, model) };
  return { state: stateFrom(object, key, model), etag: object.etag };
}

/** The last kept checkpoint up to an entry, or the initial state where none is kept. */
export async function lastCheckpoint(
  { store }: Ports,
  model: Model,
  sequence = Number.POSITIVE_INFINITY,
): Promise<State> {
  const kept = await lastKept(store, model.name, sequence);
  return kept === undefined ? initialState(model) : stateFrom(kept.object, kept.key, model);
}

/** The file of the last kept checkpoint up to an entry; undefined where none is kept. */
export async function lastKept(
  store: ObjectStore,
  model: string,
  sequence = Number.POSITIVE_INFINITY,
): Promise<{ readonly key: string; readonly object: StoredObject } | undefined> {
  const kept = await store.list(keys.checkpoints(model));
  const key = kept.findLast(
    (each) => (sequenceOfCheckpoint(each.key) ?? Number.NaN) <= sequence,
  )?.key;
  const object = key === undefined ? undefined : await store.get(key);
  return key === undefined || object === undefined ? undefined : { key, object };
}

function stateFrom({ body }: StoredObject, key: string, model: Model): State {
  const state = decodeCheckpoint(body);
  if (state.model !== model.name || state.specHash !== model.specHash) {
    throw specChanged(
      `${key} belongs to model ${state.model} with spec ${state.specHash}, but spec.json has ${model.specHash}`,
    );
  }
  if (fitsModel(model, state)) return state;
  throw new MillraceError(
    'corrupt',
    `${key} has other tensors than the model's spec, or numbers that are not finite; ` +
      'remove it, and the last kept checkpoint is taken',
  );
}

/** What an invocation knows when it publishes. */
export type Publication = {
  /** The ETag of the checkpoint that was read or written last; undefined if there was none. */
  readonly etag: string | undefined;
  /** The entries that the invocation committed. */
  readonly committed: readonly EntryHeader[];
};

/**
 * Writes the state as the newest checkpoint where the model's policy asks for it: after an entry
 * that replaced the weights, after every `publishEvery`th entry, and when a redelivery finds its
 * messages settled. The published checkpoint never goes back: if a newer one was published
 * meanwhile, nothing is written.
 *
 * @returns the ETag of the published checkpoint, for the next invocation; undefined if it is
 *   unknown, or a newer one's
 */
export async function publish(
  ports: BucketPorts,
  model: Model,
  state: State,
  { etag, committed }: Publication,
): Promise<string | undefined> {
  const { publishEvery } = model.spec.online;
  const isDue =
    etag === undefined ||
    committed.length === 0 ||
    committed.some((header) => isReplacing(header) || header.sequence % publishEvery === 0);
  if (state.sequence === 0 || !isDue) return etag;
  const body = encodeCheckpoint(state);
  let isOvertaken = false;
  const stays = (current: Uint8Array) => {
    const { sequence } = decodeCheckpoint(current);
    isOvertaken = sequence > state.sequence;
    return sequence >= state.sequence;
  };
  const published = await putOverOlder(ports, keys.state(model.name), body, { etag, stays });
  // The ETag of a newer one would let this state be put over it.
  return isOvertaken ? undefined : (published ?? etag);
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
  const key = keys.checkpoint(model.name, sequence);
  await putUntilAnswered(ports, key, encodeCheckpoint(state), { ifNoneMatch: '*' });
}
