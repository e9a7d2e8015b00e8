import { keys } from '../bucket/keys.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { EntryHeader } from '../commands/commands.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import { keepState, usableState } from './checkpoints.ts';

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
 * The state for the next entry. If another arithmetic made it, it is kept first, and what is kept
 * is the state to go on from: another writer may have been faster.
 */
export async function keepIfForeign(ports: Ports, model: Model, state: State): Promise<OwnState> {
  const own = model.compiled.engine;
  if (state.sequence === 0 || state.arithmetic === undefined || state.arithmetic === own)
    return { state };
  await keepState(ports, model, state);
  const kept = await readKept(ports, model, state.sequence);
  if (kept === undefined) return { state };
  ports.log.warn('the model goes on with another arithmetic', {
    model: model.name,
    sequence: state.sequence,
    from: state.arithmetic,
    to: own,
  });
  return { state: kept.state, checkpoint: kept.digest };
}

/** A kept checkpoint that can be used, and its digest. */
export type Kept = { readonly state: State; readonly digest: string };

/** The kept checkpoint of an entry; undefined if there is none that can be used. */
export async function readKept(
  ports: Pick<Ports, 'store' | 'log'>,
  model: Model,
  sequence: number,
): Promise<Kept | undefined> {
  const key = keys.checkpoint(model.name, sequence);
  const object = await ports.store.get(key);
  const state = object && (await usableState(ports, model, key, object));
  return object && state && { state, digest: digestOf(object.body) };
}

/**
 * The state that an entry goes on from: the checkpoint that it names, or the one that was folded. A
 * checkpoint that is missing or was changed is passed over, and the fold goes on with bits of its
 * own.
 */
export async function stateBefore(
  ports: Pick<Ports, 'store' | 'log'>,
  model: Model,
  folded: State,
  { checkpoint }: Pick<EntryHeader, 'checkpoint'>,
): Promise<State> {
  if (checkpoint === undefined) return folded;
  const kept = await readKept(ports, model, folded.sequence);
  if (kept?.digest === checkpoint) return kept.state;
  const fields = { model: model.name, sequence: folded.sequence };
  ports.log.warn('the checkpoint that an entry goes on from is missing or was changed', fields);
  return folded;
}
