import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import { decodeEntry, decodeHeader, type Entry } from './entry.ts';

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
  assertPlace(entry.header, { key, model, sequence });
  return entry;
}

/** The header of {@link readEntry}, without its samples. */
export async function readHeader(
  store: ObjectStore,
  model: string,
  sequence: number,
): Promise<EntryHeader | undefined> {
  const key = keys.entry(model, sequence);
  const object = await store.get(key);
  if (object === undefined) return undefined;
  const header = decodeHeader(object.body, key);
  assertPlace(header, { key, model, sequence });
  return header;
}

function assertPlace(
  header: EntryHeader,
  {
    key,
    model,
    sequence,
  }: { readonly key: string; readonly model: string; readonly sequence: number },
): void {
  if (header.sequence === sequence && header.model === model) return;
  throw new MillraceError('corrupt', `${key} holds entry ${header.sequence} of ${header.model}`);
}

/**
 * The entry at a sequence number that must be there. @throws MillraceError kind `corrupt` if it is
 * not
 */
export async function existingEntry(
  store: ObjectStore,
  model: string,
  sequence: number,
): Promise<Entry> {
  const entry = await readEntry(store, model, sequence);
  if (entry === undefined)
    throw new MillraceError('corrupt', `${keys.entry(model, sequence)} is missing`);
  return entry;
}

/** Which part of a journal is read, and how. */
export type Reading = {
  /**
   * The last entry; it and all before it must be there. As far as the journal goes unless given.
   */
  readonly to?: number;
  /** How many reads are under way at once: one, or many where much of a journal is read. */
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
  const read = to < Number.POSITIVE_INFINITY ? existingEntry : readEntry;
  for await (const entry of inOrder(
    ahead,
    (place) => sequence + 1 + place <= to && read(store, model, sequence + 1 + place),
  )) {
    if (entry === undefined) return;
    yield entry;
  }
}

/**
 * The entries from a sequence number back to the first. @throws MillraceError kind `corrupt` if one
 * is missing
 */
export async function* entriesBackFrom(
  store: ObjectStore,
  model: string,
  sequence: number,
): AsyncGenerator<Entry, void, void> {
  yield* inOrder(
    limits.readsAtOnce,
    (place) => place < sequence && existingEntry(store, model, sequence - place),
  );
}

/**
 * What `read` answers for 0, 1, 2 and so on, until it is false; up to `ahead` of them are under way
 * at once.
 */
async function* inOrder<Answer>(
  ahead: number,
  read: (place: number) => Promise<Answer> | false,
): AsyncGenerator<Answer, void, void> {
  const reads: Promise<Answer>[] = [];
  let next = 0;
  try {
    for (;;) {
      while (reads.length < ahead) {
        const started = read(next);
        if (started === false) break;
        next += 1;
        // It is awaited in its turn, or not at all if one before it fails.
        started.catch(() => undefined);
        reads.push(started);
      }
      const first = reads.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(reads);
  }
}
