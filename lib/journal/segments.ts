import { hash } from 'node:crypto';
import { z } from 'zod';
import { keys, segmentOfKey } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { isOfKind } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Log } from '../ports/ports.ts';
import { inOrder } from './in-order.ts';

/**
 * A segment is a copy of many entries as one object, so that a long journal is read with a
 * thousandth of the requests. It is derived: the entries stay the truth, and a segment that is
 * missing, damaged or of another journal is passed over.
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
  /** How many bytes each entry has; none of entries that are too large to be joined. */
  bytes: z.array(z.int().positive()),
  /** SHA-256 of all of them, in hex. */
  digest: z.string(),
});

/** The file of some entries in a row. */
export function encodeSegment(
  model: string,
  first: number,
  entries: readonly Uint8Array[],
): Uint8Array {
  const body = Buffer.concat(entries);
  const bytes = entries.map(({ length }) => length);
  const format = 'millrace-segment-1' as const;
  const index: z.output<typeof indexSchema> = {
    format,
    model,
    first,
    bytes,
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
): readonly Uint8Array[] | undefined {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (buffer.length < frameHeaderBytes || buffer.readUInt32LE(0) !== skippable) return undefined;
  const start = frameHeaderBytes + buffer.readUInt32LE(4);
  const index = indexOf(buffer.toString('utf8', frameHeaderBytes, start));
  const body = buffer.subarray(start);
  const isRight =
    index?.model === model &&
    index.first === first &&
    index.bytes.length === last - first + 1 &&
    index.bytes.reduce((sum, each) => sum + each, 0) === body.length &&
    index.digest === hash('sha256', body);
  if (!isRight) return undefined;
  let end = 0;
  return index.bytes.map((length) => {
    end += length;
    return body.subarray(end - length, end);
  });
}

function indexOf(text: string): z.output<typeof indexSchema> | undefined {
  try {
    return indexSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The segments of a journal, in their order. */
export async function listSegments(store: ObjectStore, model: string): Promise<Segment[]> {
  const listed = await store.list(keys.segments(model));
  return listed.flatMap(({ key }) => segmentOfKey(key) ?? []);
}

/**
 * The entries of a segment, as they were stored; none if it cannot be used, or the journal does not
 * end it as it does: another model may have had the name.
 */
export async function readSegment(
  store: ObjectStore,
  model: string,
  segment: Segment,
): Promise<readonly Uint8Array[]> {
  const [file, last] = await Promise.all([
    store.get(keys.segment(model, segment)),
    store.get(keys.entry(model, segment.last)),
  ]);
  const entries = (file && decodeSegment(file.body, model, segment)) ?? [];
  const own = entries.at(-1);
  if (own === undefined || last === undefined) return [];
  return Buffer.from(own).equals(last.body) ? entries : [];
}

/**
 * Joins the entries up to one of them into a segment, where that one fills it, and the earliest
 * that is missing before. What cannot be written is left for another time: nothing depends on it.
 */
export async function joinEntries(
  ports: Pick<BucketPorts, 'store' | 'limits'> & { readonly log: Log },
  model: string,
  last: number,
): Promise<void> {
  const { segmentEntries } = ports.limits;
  if (last % segmentEntries !== 0) return;
  try {
    const known = new Set((await listSegments(ports.store, model)).map(({ first }) => first));
    const firsts = Array.from({ length: last / segmentEntries }, (_, i) => i * segmentEntries + 1);
    const missing = firsts.filter((first) => !known.has(first));
    for (const first of new Set([...missing.slice(-1), ...missing.slice(0, 1)]))
      await join(ports.store, model, { first, last: first + segmentEntries - 1 });
  } catch (error) {
    if (!isOfKind(error, 'unavailable')) throw error;
    ports.log.warn('entries could not be joined', { model, last, reason: error.message });
  }
}

async function join(store: ObjectStore, model: string, segment: Segment): Promise<void> {
  const { first, last } = segment;
  const entries: Uint8Array[] = [];
  let bytes = 0;
  const read = (place: number) =>
    first + place <= last && store.get(keys.entry(model, first + place));
  for await (const entry of inOrder(limits.readsAtOnce, read)) {
    if (entry === undefined) return;
    bytes += entry.body.length;
    if (bytes > limits.segmentBytes) break;
    entries.push(entry.body);
  }
  // Large ones are as cheap to read one by one; that they were looked at is kept.
  const joined = bytes > limits.segmentBytes ? [] : entries;
  const body = encodeSegment(model, first, joined);
  await store.put(keys.segment(model, segment), body, { ifNoneMatch: '*' });
}
