import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ObjectStore, PutCondition, PutOutcome } from '../ports/ports.ts';
import { decodeEntry, type Entry, encodeEntry } from './entry.ts';
import { keys } from './keys.ts';

/** The entry at a sequence number, or undefined if nothing was committed there yet. */
export async function readEntry(
  store: ObjectStore,
  model: string,
  sequence: number,
): Promise<Entry | undefined> {
  const key = keys.entry(model, sequence);
  const object = await store.get(key);
  if (object === undefined) return undefined;
  const entry = decodeEntry(object.body, key);
  if (entry.header.sequence !== sequence || entry.header.model !== model) {
    throw new MillraceError(
      'corrupt',
      `${key} holds entry ${entry.header.sequence} of ${entry.header.model}`,
    );
  }
  return entry;
}

/** The entry at a sequence number that must be there. @throws MillraceError kind `corrupt` if it is not */
export async function existingEntry(store: ObjectStore, model: string, sequence: number): Promise<Entry> {
  const entry = await readEntry(store, model, sequence);
  if (entry === undefined) throw new MillraceError('corrupt', `${keys.entry(model, sequence)} is missing`);
  return entry;
}

/** Which part of a journal is read, and how. */
export type Reading = {
  /** The last entry; it and all before it must be there. As far as the journal goes unless given. */
  readonly to?: number;
  /** How many reads are under way at once: one, or many where a whole journal is read. */
  readonly ahead?: number;
};

/**
 * The entries after a sequence number, in order.
 *
 * @throws MillraceError kind `corrupt` if one up to `to` is missing
 */
export async function* entriesAfter(
  store: ObjectStore,
  model: string,
  sequence: number,
  { to = Number.POSITIVE_INFINITY, ahead = 1 }: Reading = {},
): AsyncGenerator<Entry, void, void> {
  const reads: Promise<Entry | undefined>[] = [];
  let next = sequence + 1;
  try {
    for (let current = next; current <= to; current++) {
      for (; reads.length < ahead && next <= to; next++) {
        const read = readEntry(store, model, next);
        // It is awaited in its turn, or not at all if one before it fails.
        read.catch(() => undefined);
        reads.push(read);
      }
      const entry = await reads.shift();
      if (entry === undefined && to < Number.POSITIVE_INFINITY) {
        throw new MillraceError('corrupt', `${keys.entry(model, current)} is missing`);
      }
      if (entry === undefined) return;
      yield entry;
    }
  } finally {
    await Promise.allSettled(reads);
  }
}

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
