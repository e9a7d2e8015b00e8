import type { Refusal } from '../features/encoder.ts';
import { keys } from '../journal/keys.ts';
import type { ObjectStore } from '../ports/ports.ts';

/** A refused sample with the sample itself; index −1 stands for the whole message. */
export type RefusedSample = Refusal & { readonly sample?: unknown };

/**
 * Writes what cannot be learnt, and why, under the message's id, so that a repeat overwrites itself. It happens
 * before the commit that settles the message: a crash in between only repeats it.
 */
export async function quarantine(
  store: ObjectStore,
  model: string,
  id: string,
  refused: readonly RefusedSample[],
  source: Readonly<Record<string, unknown>>,
): Promise<void> {
  const record = { message: id, ...source, refused };
  await store.put(keys.quarantine(model, id), Buffer.from(`${JSON.stringify(record, null, 1)}\n`));
}
