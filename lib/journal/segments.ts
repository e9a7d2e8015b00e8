import { keys, segmentOfKey, sequenceOfEntry } from '../bucket/keys.ts';
import type {
  BucketPorts,
  ListedObject,
  ObjectStore,
  StoredObject,
} from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { reasonOf } from '../errors.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Log } from '../ports/ports.ts';
import {
  decodeSegment,
  encodeSegment,
  headBytesOf,
  headersIn,
  type Segment,
} from './segment-file.ts';

/** A segment, as it is listed. */
export type ListedSegment = Segment & Pick<ListedObject, 'etag' | 'sizeBytes'>;

/**
 * The segments of a journal, in their order; those that have some entries in a row, with some
 * others, where these are named.
 */
export async function listSegments(
  store: ObjectStore,
  model: string,
  { first, last }: Segment = { first: 1, last: Number.POSITIVE_INFINITY },
): Promise<ListedSegment[]> {
  const start = Math.max(1, first + 1 - limits.segmentEntries);
  const isBounded = Number.isFinite(last);
  const listed = await store.list(
    isBounded ? keys.segmentsWithin(model, { first: start, last }) : keys.segments(model),
  );
  return listed.flatMap(({ key, etag, sizeBytes }) => {
    const segment = segmentOfKey(key);
    return segment === undefined ? [] : [{ ...segment, etag, sizeBytes }];
  });
}

/**
 * The entries of a segment, as they were stored; none if it cannot be used, or the journal holds
 * others, or not all of them.
 */
export async function readSegment(
  store: ObjectStore,
  model: string,
  segment: Segment,
): Promise<readonly Uint8Array[]> {
  const [file, listed] = await Promise.all([
    store.get(keys.segment(model, segment)),
    listEntries(store, model, segment),
  ]);
  return bodiesOf(file && decodeSegment(file.body, model, segment), listed);
}

/** Index and headers of most segments; those of others are read in two pieces. */
const usualHeadBytes = 262_144;

/**
 * The headers of a segment's entries, each made when it is asked for. No more of it is read than its
 * beginning, unless they are not there, as in those of releases before 0.19. None if it cannot be
 * used; see {@link readSegment}.
 *
 * @param headerOf reads that of an entry as it is stored
 */
export async function readSegmentHeaders(
  store: ObjectStore,
  model: string,
  segment: ListedSegment,
  headerOf: (body: Uint8Array, sequence: number) => EntryHeader,
): Promise<readonly (() => EntryHeader)[]> {
  const { etag, sizeBytes } = segment;
  const part = async (start: number, end: number) => {
    const bounds = { start, end: Math.min(end, sizeBytes), etag };
    const object =
      bounds.start < bounds.end ? await store.get(keys.segment(model, segment), bounds) : undefined;
    return object?.body ?? new Uint8Array();
  };
  const [first, listed] = await Promise.all([
    part(0, usualHeadBytes),
    listEntries(store, model, segment),
  ]);
  let head = Buffer.from(first);
  const readTo = async (wanted: number) => {
    const more = await part(head.length, wanted);
    head = Buffer.concat([head, more]);
    return more.length > 0;
  };
  while (headBytesOf(head) > head.length && (await readTo(headBytesOf(head))));
  const found = headersIn(head, model, segment);
  if (found !== undefined)
    return areListed(found.etags, listed) ? found.headers.map((header) => () => header) : [];
  await readTo(sizeBytes);
  return bodiesOf(decodeSegment(head, model, segment), listed).map(
    (body, place) => () => headerOf(body, segment.first + place),
  );
}

/** The entries of a segment, if the journal holds just these. */
function bodiesOf(
  entries: readonly StoredObject[] = [],
  listed: readonly ListedObject[],
): readonly Uint8Array[] {
  const etags = entries.map(({ etag }) => etag);
  return areListed(etags, listed) ? entries.map(({ body }) => body) : [];
}

function areListed(etags: readonly string[], listed: readonly ListedObject[]): boolean {
  return etags.every((etag, place) => listed[place]?.etag === etag);
}

/** The entries of a segment as they are listed: those that are there, in their order. */
async function listEntries(
  store: ObjectStore,
  model: string,
  segment: Segment,
): Promise<readonly ListedObject[]> {
  const listed = await store.list(keys.entriesWithin(model, segment));
  return listed.filter(({ key }) => {
    const sequence = sequenceOfEntry(key) ?? 0;
    return segment.first <= sequence && sequence <= segment.last;
  });
}

/** What joining works with. */
export type JoinPorts = Pick<BucketPorts, 'store' | 'limits'> & { readonly log: Log };

/**
 * Joins the entries up to one of them into a segment, where that one fills it, and some of the
 * earliest that are missing before. What cannot be written, or has no time left, is left for
 * another time: nothing depends on it.
 */
export async function joinEntries(
  { store, limits: bounds, log }: JoinPorts,
  model: string,
  last: number,
  secondsLeft: () => number = () => Number.POSITIVE_INFINITY,
): Promise<void> {
  if (!fillsSegment(bounds, last)) return;
  const { segmentEntries } = bounds;
  const mustStop = () => secondsLeft() < limits.joinReserveSeconds;
  try {
    const known = new Set((await listSegments(store, model)).map((each) => each.last));
    const lasts = Array.from(
      { length: (last + 1) / segmentEntries },
      (_, i) => (i + 1) * segmentEntries - 1,
    ).filter((each) => each > 0 && !known.has(each));
    for (const each of new Set([...lasts.slice(-1), ...lasts.slice(0, limits.segmentsMadeUp)])) {
      if (mustStop()) return;
      await join(store, model, segmentUpTo(segmentEntries, each), mustStop);
    }
  } catch (error) {
    log.warn('entries could not be joined', { model, last, reason: reasonOf(error) });
  }
}

/** Whether an entry is the last of a segment: the numbers of one begin with the same digits. */
export function fillsSegment(
  { segmentEntries }: Pick<BucketPorts['limits'], 'segmentEntries'>,
  sequence: number,
): boolean {
  return sequence > 0 && (sequence + 1) % segmentEntries === 0;
}

function segmentUpTo(segmentEntries: number, last: number): Segment {
  return { first: Math.max(1, last + 1 - segmentEntries), last };
}

async function join(
  store: ObjectStore,
  model: string,
  segment: Segment,
  mustStop: () => boolean,
): Promise<void> {
  const { first, last } = segment;
  const listed = await listEntries(store, model, segment);
  if (listed.length < last - first + 1) return;
  const bytes = listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  // Large ones are as cheap to read one by one; that they were looked at is kept.
  const joined = bytes > limits.segmentBytes ? [] : listed;
  const entries: StoredObject[] = [];
  const all = eachInOrder(limits.readsAtOnce, joined, ({ key }) => store.get(key));
  for await (const [, entry] of all) {
    if (entry === undefined || mustStop()) return;
    entries.push(entry);
  }
  const body = encodeSegment(model, first, entries);
  await store.put(keys.segment(model, segment), body, { ifNoneMatch: '*' });
}
