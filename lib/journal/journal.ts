import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ObjectStore, PutCondition, PutOutcome } from '../ports/ports.ts';
import { type Entry, encodeEntry } from './entry.ts';
import { keys } from './keys.ts';
import { readEntry } from './reading.ts';

/**
 * Commits an entry at its sequence number: the only commit point of Millrace. `lost` says that it is not, or
 * perhaps not, ours: read the journal forward and judge the messages again.
 *
 * A put whose answer was lost, or that the SDK tried again, meets its own success as PreconditionFailed: the
 * nonce in the header tells whose entry it is.
 */
export async function commitEntry(store: ObjectStore, entry: Entry): Promise<'committed' | 'lost'> {
  const { model, sequence, nonce } = entry.header;
  const outcome = await putUntilAnswered(store, keys.entry(model, sequence), encodeEntry(entry), {
    ifNoneMatch: '*',
  });
  if (outcome?.ok) return 'committed';
  const found = await readEntry(store, model, sequence);
  return found?.header.nonce === nonce ? 'committed' : 'lost';
}

/**
 * A conditional put, tried again while its outcome is unknown (409, timeouts, 5xx); a timeout is taken for
 * neither success nor failure. Undefined if it stays unknown.
 */
export async function putUntilAnswered(
  store: ObjectStore,
  key: string,
  body: Uint8Array,
  condition: PutCondition,
): Promise<PutOutcome | undefined> {
  for (let attempt = 1; attempt <= limits.putAttempts; attempt++) {
    try {
      const outcome = await store.put(key, body, condition);
      if (outcome.ok || outcome.reason === 'precondition') return outcome;
    } catch (error) {
      if (!(error instanceof MillraceError) || error.kind !== 'unavailable') throw error;
    }
  }
  return undefined;
}

/**
 * Puts an object over an older one, never over a newer one: whoever was overtaken, or writes late, changes nothing.
 *
 * @param etag of the object that the caller knows; undefined if it knows none
 * @param stays whether what is there is not older; also true of the caller's own body
 * @returns the ETag of what is there then; undefined if that is unknown
 */
export async function putOverOlder(
  store: ObjectStore,
  key: string,
  body: Uint8Array,
  etag: string | undefined,
  stays: (current: Uint8Array) => boolean | Promise<boolean>,
): Promise<string | undefined> {
  let known = etag;
  for (let attempt = 0; attempt < limits.putAttempts; attempt++) {
    const condition = known === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: known };
    const outcome = await putUntilAnswered(store, key, body, condition);
    if (outcome?.ok) return outcome.etag;
    const current = await store.get(key);
    if (current !== undefined && (await stays(current.body))) return current.etag;
    known = current?.etag;
  }
  return undefined;
}
