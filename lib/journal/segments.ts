import { hash } from 'node:crypto';
import { z } from 'zod';
import { keys, segmentOfKey, sequenceOfEntry } from '../bucket/keys.ts';
import type {
  BucketPorts,
  ListedObject,
  ObjectStore,
  StoredObject,
} from '../bucket/object-store.ts';
import { reasonOf } from '../errors.ts';
import { eachInOrder } from '../in-order.ts';
import { limits } from '../limits.ts';
import type { Log } from '../ports/ports.ts';

/**
 * A segment is a copy of many entries as one object, so that a long journal is read with a
 * thousandth of the requests. It is derived: the entries stay the truth. A segment names the ETag
 * of each, and one that is missing, damaged, or not of the entries that a listing shows is passed
 * over.
 *
 * The file is a skippable frame of zstd, which holds the index, and the entries as they are stored:
 * `zstdcat` shows them one after another.
 */
export type Segment = { readonly first: number; readonly last: number };

const skippable = 0x184d2a50;
const frameHeaderBytes = 8;

const indexSchema = z.strictObject({
  format: z.literal('millrace-segment-1'),
  model: z.string(),
  first: z.int().positive(),
  /** The bytes and the ETag of each entry; none of entries that are too large to be joined. */
  entries: z.array(z.tuple([z.int().positive(), z.string()])),
  /** SHA-256 of all of them, in hex. */
  digest: z.string(),
});

/** The file of some entries in a row. */
export function encodeSegment(
  model: string,
  first: number,
  stored: readonly StoredObject[],
): Uint8Array {
  const body = Buffer.concat(stored.map((each) => each.body));
  const index: z.output<typeof indexSchema> = {
    format: 'millrace-segment-1',
    model,
    first,
    entries: stored.map((each) => [each.body.length, each.etag]),
    digest: hash('sha256', body),
  };
  const text = Buffer.from(JSON.stringify(index));
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32LE(skippable, 0);
  header.writeUInt32LE(text.length, 4);
  return Buffer.concat([header, text, body]);
}

/**
 * The entries of a {@link encodeSegment}, as they were stored; undefined if it is damaged, or is
 * not that of these entries.
 */
export function decodeSegment(
  file: Uint8Array,
  model: string,
  { first, last }: Segment,
): readonly StoredObject[] | undefined {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (buffer.length < frameHeaderBytes || buffer.readUInt32LE(0) !== skippable) return undefined;
  const start = frameHeaderBytes + buffer.readUInt32LE(4);
  const index = indexOf(buffer.toString('utf8', frameHeaderBytes, start));
  const body = buffer.subarray(start);
  const isRight =
    index?.model === model &&
    index.first === first &&
    index.entries.length === last - first + 1 &&
    index.entries.reduce((sum, [length]) => sum + length, 0) === body.length &&
    index.digest === hash('sha256', body);
  if (!isRight) return undefined;
  let end = 0;
  return index.entries.map(([length, etag]) => {
    end += length;
    return { body: body.subarray(end - length, end), etag };
  });
}

function indexOf(text: string): z.output<typeof indexSchema> | undefined {
  try {
    return indexSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * The segments of a journal, in their order; those that have some entries in a row, with some
 * others, where these are named.
 */
export async function listSegments(
  store: ObjectStore,
  model: string,
  { first, last }: Segment = { first: 1, last: Number.POSITIVE_INFINITY },
): Promise<Segment[]> {
  const start = Math.max(1, first + 1 - limits.segmentEntries);
  const isBounded = Number.isFinite(last);
  const listed = await store.list(
    isBounded ? keys.segmentsWithin(model, { first: start, last }) : keys.segments(model),
  );
  return listed.flatMap(({ key }) => segmentOfKey(key) ?? []);
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
  const entries = (file && decodeSegment(file.body, model, segment)) ?? [];
  const isOfJournal = entries.every(({ etag }, place) => listed[place]?.etag === etag);
  return isOfJournal ? entries.map(({ body }) => body) : [];
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
