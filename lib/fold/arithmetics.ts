import { keys } from '../bucket/keys.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { MillraceError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { encodeCheckpoint } from '../state/checkpoint-file.ts';
import type { State } from '../state/state.ts';
import { keepState, type UsableStatePorts, usableState } from './checkpoints.ts';

/**
 * An engine makes the same bits of a journal wherever it has the same arithmetic, and others where
 * a release or, with ONNX Runtime, a processor has another one. So that a model may move from one
 * to the other, the first entry that is made on a state of another arithmetic names the checkpoint
 * that it goes on from. Whoever folds the journal goes on from there too, whatever the entries
 * before have become.
 */

/** A state, and the digest of its kept checkpoint if an entry must name it. */
export type OwnState = { readonly state: State; readonly checkpoint?: string | undefined };

/**
 * The state for the next entry. If another arithmetic made the entry before, or folded it, the
 * state is kept first, and what is kept is the state to go on from: another writer may have
 * been faster.
 *
 * @throws MillraceError kind `unavailable` if it cannot be kept: the next attempt tries again
 */
export async function keepIfForeign(ports: Ports, model: Model, state: State): Promise<OwnState> {
  const own = model.compiled.engine;
  const { sequence, arithmetic = own, entryArithmetic = own } = state;
  if (sequence === 0 || (arithmetic === own && entryArithmetic === own)) return { state };
  await keepState(ports, model, state);
  const kept =
    (await readKept(ports, model, sequence)) ?? (await keepOverDamaged(ports, model, state));
  if (kept === undefined)
    throw new MillraceError(
      'unavailable',
      `the state of entry ${sequence} of ${model.name} cannot be kept`,
    );
  const from = entryArithmetic === own ? arithmetic : entryArithmetic;
  const fields = { model: model.name, sequence, from, to: own };
  ports.log.warn('the model goes on with another arithmetic', fields);
  return { state: kept.state, checkpoint: kept.digest };
}

/** Keeps a state in place of an object that is none. */
async function keepOverDamaged(
  ports: Ports,
  model: Model,
  state: State,
): Promise<Kept | undefined> {
  const key = keys.checkpoint(model.name, state.sequence);
  const damaged = await ports.store.get(key);
  if (damaged !== undefined)
    await ports.store.put(key, encodeCheckpoint(state), { ifMatch: damaged.etag });
  return readKept(ports, model, state.sequence);
}

/** A kept checkpoint that can be used, and its digest. */
export type Kept = { readonly state: State; readonly digest: string };

/** The kept checkpoint of an entry; undefined if there is none that can be used. */
export async function readKept(
  ports: UsableStatePorts,
  model: Model,
  sequence: number,
): Promise<Kept | undefined> {
  const key = keys.checkpoint(model.name, sequence);
  const object = await ports.store.get(key);
  const state = object && (await usableState(ports, model, key, object));
  if (object === undefined || state?.sequence !== sequence) return undefined;
  return { state, digest: digestOf(object.body) };
}

/**
 * The state that an entry goes on from: the checkpoint that it names, or the one that was folded. A
 * checkpoint that is missing or was changed is passed over, and the fold goes on with bits of its
 * own.
 */
export async function stateBefore(
  ports: UsableStatePorts,
  model: Model,
  folded: State,
  { checkpoint }: Pick<EntryHeader, 'checkpoint'>,
): Promise<State> {
  if (checkpoint === undefined) return folded;
  const named = await namedState(ports, model, folded.sequence, checkpoint);
  if (named !== undefined) return named;
  const fields = { model: model.name, sequence: folded.sequence };
  ports.log.warn('the checkpoint that an entry goes on from is missing or was changed', fields);
  return folded;
}

/** The kept checkpoint of an entry, if it is the one of a digest. */
export async function namedState(
  ports: UsableStatePorts,
  model: Model,
  sequence: number,
  digest: string,
): Promise<State | undefined> {
  const kept = await readKept(ports, model, sequence);
  return kept?.digest === digest ? kept.state : undefined;
}
