import { MillraceError } from '../errors.ts';
import { decodeCheckpoint } from '../journal/checkpoint.ts';
import { keys, sequenceOfCheckpoint } from '../journal/keys.ts';
import type { State } from '../journal/state.ts';
import type { ObjectStore, Ports, StoredObject } from '../ports/ports.ts';
import { fitsModel, initialState, type Model } from './model.ts';

/**
 * The published checkpoint with its ETag. A checkpoint is only a cache of the journal: where none was written yet, or
 * somebody removed it, the last kept one stands in, or the initial state.
 *
 * @throws MillraceError kind `corrupt` if it is damaged, or another spec's
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
  const key = kept.findLast((each) => (sequenceOfCheckpoint(each.key) ?? Number.NaN) <= sequence)?.key;
  const object = key === undefined ? undefined : await store.get(key);
  return key === undefined || object === undefined ? undefined : { key, object };
}

function stateFrom({ body }: StoredObject, key: string, model: Model): State {
  const state = decodeCheckpoint(body);
  if (state.model !== model.name || state.specHash !== model.specHash) {
    throw new MillraceError(
      'corrupt',
      `${key} belongs to model ${state.model} with spec ${state.specHash}, but spec.json has ${model.specHash}: a spec cannot be changed in place`,
    );
  }
  if (fitsModel(model, state)) return state;
  throw new MillraceError(
    'corrupt',
    `${key} has other tensors than the model's spec, or numbers that are not finite; remove it, and the last kept checkpoint is taken`,
  );
}
