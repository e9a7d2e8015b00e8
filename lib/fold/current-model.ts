import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { specChanged } from '../errors.ts';
import { existingEntry, headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { loadModel, type Model, modelOfState } from '../model/model.ts';
import { loadFirstSpec, loadSpecOf, noModel, type StoredSpec } from '../model/stored-spec.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import { lastState, type StatePorts } from './checkpoints.ts';
import { currentState } from './fold.ts';

/** A model with the spec that holds, and its state at the end of its journal. */
export type CurrentModel = { readonly model: Model; readonly state: State };

/** A model as it is now. @throws MillraceError kind `invalid` if it does not exist */
export async function currentModel(ports: Ports, name: string): Promise<CurrentModel> {
  const first = await loadModel(ports, name);
  if (first === undefined) throw noModel(ports.store, name);
  const state = await currentState(ports, first);
  return { model: await modelOfState(ports, first, state), state };
}

/**
 * The spec that a model has now, without compiling it; undefined if there is no such model.
 *
 * @throws MillraceError kind `corrupt` if what is stored is not valid
 */
export async function currentSpec(
  ports: StatePorts,
  name: string,
): Promise<StoredSpec | undefined> {
  const { store } = ports;
  const first = await loadFirstSpec(store, name);
  if (first === undefined || (await store.list(keys.laterSpecs(name))).length === 0) return first;
  const state = await lastState(ports, name);
  let last: EntryHeader | undefined;
  const read = { ahead: limits.readsAtOnce };
  for await (const header of headersAfter(store, name, state?.sequence ?? 0, read)) last = header;
  const hash = last === undefined ? state?.specHash : await specAfter(store, last);
  if (hash === undefined) return first;
  const found = await loadSpecOf(store, name, hash);
  if (found === undefined) {
    const [own, later] = [keys.spec(name), keys.laterSpec(name, hash)];
    throw specChanged(`the spec that holds is not in ${own}, and ${later} is missing`);
  }
  return found;
}

/** The hash of the spec that holds after an entry. */
async function specAfter(store: ObjectStore, header: EntryHeader): Promise<string> {
  if (header.kind === 'spec') return header.to;
  if (header.kind !== 'rollback') return header.spec;
  // That of the entry that was made behind the one whose weights came back.
  return (await existingEntry(store, header.model, header.to + 1)).header.spec;
}

/** {@link currentSpec} of one that must exist. @throws MillraceError kind `invalid` if it does not */
export async function existingSpec(ports: StatePorts, name: string): Promise<StoredSpec> {
  const declared = await currentSpec(ports, name);
  if (declared === undefined) throw noModel(ports.store, name);
  return declared;
}
