import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { MillraceError } from '../errors.ts';
import { inOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import { decodeEntry, decodeHeader, type Entry } from './entry.ts';
import { type ListedSegment, listSegments, readSegment, readSegmentHeaders } from './segments.ts';

/** The entry at a sequence number, or undefined if nothing was committed there yet. */
export async function readEntry(
  store: ObjectStore,
  model: string,
  sequence: number,
): Promise<Entry | undefined> {
  const object = await store.get(keys.entry(model, sequence));
  return object && decoded(object.body, model, sequence);
}

/** The header of {@link readEntry}, without its samples. */
export async function readHeader(
  store: ObjectStore,
  model: string,
  sequence: number,
): Promise<EntryHeader | undefined> {
  const object = await store.get(keys.entry(model, sequence));
  return object && decodedHeader(object.body, model, sequence);
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
export function existingEntry(store: ObjectStore, model: string, sequence: number): Promise<Entry> {
  return existing(readEntry)(store, model, sequence);
}

function existing<Read>(ofEntry: Part<Read>['ofEntry']) {
  return async (store: ObjectStore, model: string, sequence: number): Promise<Read> => {
    const read = await ofEntry(store, model, sequence);
    if (read === undefined)
      throw new MillraceError('corrupt', `${keys.entry(model, sequence)} is missing`);
    return read;
  };
}

/** Which part of a journal is read, and how. */
export type Reading = {
  /**
   * The last entry; it and all before it must be there. As far as the journal goes unless given.
   */
  readonly to?: number;
  /**
   * How many reads are under way at once: one, or many where much of a journal is read, which is
   * then read by segments as far as there are some.
   */
  readonly ahead?: number;
};

/** What is read of a journal: of an entry that is alone, and of those of a segment. */
type Part<Read> = {
  readonly ofEntry: (
    store: ObjectStore,
    model: string,
    sequence: number,
  ) => Promise<Read | undefined>;
  /** Each is made when it is asked for; none if the segment cannot be used. */
  readonly ofSegment: (
    store: ObjectStore,
    model: string,
    segment: ListedSegment,
  ) => Promise<readonly (() => Read)[]>;
};

const entries: Part<Entry> = {
  ofEntry: readEntry,
  async ofSegment(store, model, segment) {
    const bodies = await readSegment(store, model, segment);
    return bodies.map((body, place) => () => decoded(body, model, segment.first + place));
  },
};

const headers: Part<EntryHeader> = {
  ofEntry: readHeader,
  ofSegment: (store, model, segment) =>
    readSegmentHeaders(store, model, segment, (body, sequence) =>
      decodedHeader(body, model, sequence),
    ),
};

/**
 * The entries after a sequence number, in order.
 *
 * @throws MillraceError kind `corrupt` if one up to `to` is missing
 */
export function entriesAfter(
  store: ObjectStore,
  model: string,
  sequence: number,
  reading: Reading = {},
): AsyncGenerator<Entry, void, void> {
  return after(entries, { store, model, sequence }, reading);
}

/** The headers of {@link entriesAfter}; of a segment no more is read than they are. */
export function headersAfter(
  store: ObjectStore,
  model: string,
  sequence: number,
  reading: Reading = {},
): AsyncGenerator<EntryHeader, void, void> {
  return after(headers, { store, model, sequence }, reading);
}

/** A place in a journal. */
type Place = {
  readonly store: ObjectStore;
  readonly model: string;
  readonly sequence: number;
};

async function* after<Read>(
  { ofEntry, ofSegment }: Part<Read>,
  { store, model, sequence }: Place,
  { to = Number.POSITIVE_INFINITY, ahead = 1 }: Reading,
): AsyncGenerator<Read, void, void> {
  const read = to < Number.POSITIVE_INFINITY ? existing(ofEntry) : ofEntry;
  // Where it is not known whether much is read, segments are looked for once it is.
  const isMuch = to < Number.POSITIVE_INFINITY && to - sequence > limits.entriesBeforeSegments;
  const few = isMuch ? 0 : limits.entriesBeforeSegments;
  const alone = sequence + (ahead > 1 ? few : Number.POSITIVE_INFINITY);
  let segments: ListedSegment[] | undefined;
  for (let next = sequence + 1; next <= to; ) {
    if (next > alone) segments ??= await listSegments(store, model, { first: next, last: to });
    while ((segments?.[0]?.last ?? next) < next) segments?.shift();
    const following = segments?.[0];
    if (following !== undefined && following.first <= next) {
      // One that cannot be used is read entry by entry.
      segments?.shift();
      for (const made of (await ofSegment(store, model, following)).slice(next - following.first)) {
        if (next > to) return;
        yield made();
        next += 1;
      }
      continue;
    }
    const end = Math.min(to, next <= alone ? alone : (following?.first ?? to + 1) - 1);
    const first = next;
    for await (const one of inOrder(
      ahead,
      (place) => first + place <= end && read(store, model, first + place),
    )) {
      if (one === undefined) return;
      next += 1;
      yield one;
    }
  }
}

/**
 * The entries from a sequence number back to the first; a long way is read by segments as far as
 * there are some.
 *
 * @throws MillraceError kind `corrupt` if one is missing
 */
export function entriesBackFrom(
  store: ObjectStore,
  model: string,
  sequence: number,
): AsyncGenerator<Entry, void, void> {
  return backFrom(entries, { store, model, sequence });
}

/** The headers of {@link entriesBackFrom}; of a segment no more is read than they are. */
export function headersBackFrom(
  store: ObjectStore,
  model: string,
  sequence: number,
): AsyncGenerator<EntryHeader, void, void> {
  return backFrom(headers, { store, model, sequence });
}

async function* backFrom<Read>(
  { ofEntry, ofSegment }: Part<Read>,
  { store, model, sequence }: Place,
): AsyncGenerator<Read, void, void> {
  const alone = Math.max(0, sequence - limits.entriesBeforeSegments);
  let segments: ListedSegment[] | undefined;
  for (let next = sequence; next > 0; ) {
    if (next <= alone) segments ??= await listSegments(store, model);
    while ((segments?.at(-1)?.first ?? 0) > next) segments?.pop();
    const following = segments?.at(-1);
    if (following !== undefined && following.last >= next) {
      segments?.pop();
      const all = await ofSegment(store, model, following);
      for (const made of all.slice(0, next - following.first + 1).reverse()) {
        yield made();
        next -= 1;
      }
      continue;
    }
    const end = next > alone ? alone : (following?.last ?? 0);
    const first = next;
    for await (const one of inOrder(
      limits.readsAtOnce,
      (place) => first - place > end && existing(ofEntry)(store, model, first - place),
    )) {
      next -= 1;
      yield one;
    }
  }
}

/** An entry as it is stored. @throws MillraceError kind `corrupt` if it is none, or another one */
function decoded(body: Uint8Array, model: string, sequence: number): Entry {
  const key = keys.entry(model, sequence);
  const entry = decodeEntry(body, key);
  assertPlace(entry.header, { key, model, sequence });
  return entry;
}

/** The same of its header. */
function decodedHeader(body: Uint8Array, model: string, sequence: number): EntryHeader {
  const key = keys.entry(model, sequence);
  const header = decodeHeader(body, key);
  assertPlace(header, { key, model, sequence });
  return header;
}
