import { hash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as z from 'zod';
import type { StoredObject } from '../bucket/object-store.ts';
import { type EntryHeader, parseHeader } from '../commands/commands.ts';
import { limits } from '../limits.ts';
import { jsonIfAny } from '../parse.ts';
import { decodeHeader } from './entry.ts';

/**
 * A segment is a copy of many entries as one object, so that a long journal is read with a
 * thousandth of the requests. It is derived: the entries stay the truth. A segment names the ETag
 * of each, and one that is missing, damaged, or not of the entries that a listing shows is passed
 * over.
 *
 * The file is two skippable frames of zstd, which hold the index and the entries' headers, and the
 * entries as they are stored: `zstdcat` shows them one after another. Whoever looks for a time, a
 * producer or a message reads the headers alone.
 */
export type Segment = { readonly first: number; readonly last: number };

const skippable = 0x184d2a50;
const frameHeaderBytes = 8;

const indexSchema = z.strictObject({
  format: z.enum(['millrace-segment-1', 'millrace-segment-2']),
  model: z.string(),
  first: z.int().positive(),
  /** The bytes and the ETag of each entry; none of entries that are too large to be joined. */
  entries: z.array(z.tuple([z.int().positive(), z.string()])),
  /** SHA-256 of all of them, in hex. */
  digest: z.string(),
  /** The bytes and the SHA-256 of the frame with their headers; absent before 0.19. */
  headers: z.tuple([z.int().positive(), z.string()]).optional(),
});

type Index = z.output<typeof indexSchema>;

/** The file of some entries in a row. */
export function encodeSegment(
  model: string,
  first: number,
  stored: readonly StoredObject[],
): Uint8Array {
  const body = Buffer.concat(stored.map((each) => each.body));
  const headers = encodeHeaders(stored);
  const index: Index = {
    format: headers === undefined ? 'millrace-segment-1' : 'millrace-segment-2',
    model,
    first,
    entries: stored.map((each) => [each.body.length, each.etag]),
    digest: hash('sha256', body),
    ...(headers && { headers: [headers.length, hash('sha256', headers)] }),
  };
  const frames = [frameOf(Buffer.from(JSON.stringify(index))), ...(headers ? [headers] : [])];
  return Buffer.concat([...frames, body]);
}

function frameOf(content: Uint8Array): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32LE(skippable, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

/** The frame of the entries' headers; none where one cannot be read, or there are no entries. */
function encodeHeaders(stored: readonly StoredObject[]): Buffer | undefined {
  if (stored.length === 0) return undefined;
  try {
    const lines = stored.map(({ body }) => JSON.stringify(decodeHeader(body, 'an entry')));
    return frameOf(zstdCompressSync(lines.join('\n')));
  } catch {
    return undefined;
  }
}

/**
 * The entries of a {@link encodeSegment}, as they were stored; undefined if it is damaged, or is
 * not that of these entries.
 */
export function decodeSegment(
  file: Uint8Array,
  model: string,
  segment: Segment,
): readonly StoredObject[] | undefined {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const { index, end: start } = indexIn(buffer) ?? {};
  if (index === undefined || start === undefined || !isOf(index, model, segment)) return undefined;
  const body = buffer.subarray(start + (index.headers?.[0] ?? 0));
  const bytes = index.entries.reduce((sum, [length]) => sum + length, 0);
  if (bytes !== body.length || index.digest !== hash('sha256', body)) return undefined;
  let end = 0;
  return index.entries.map(([length, etag]) => {
    end += length;
    return { body: body.subarray(end - length, end), etag };
  });
}

/** How much of a segment holds index and headers, as its beginning tells; 0 if it tells nothing. */
export function headBytesOf(beginning: Buffer): number {
  const bytes = frameBytes(beginning);
  if (bytes === undefined) return 0;
  const next = frameBytes(beginning.subarray(bytes));
  // Where the index alone is longer than what is there: at least that, and the next frame's header.
  return bytes + (next ?? frameHeaderBytes);
}

/** The headers of a segment's entries and their ETags, of its beginning; undefined if it has none. */
export function headersIn(
  beginning: Buffer,
  model: string,
  segment: Segment,
): { readonly headers: readonly EntryHeader[]; readonly etags: readonly string[] } | undefined {
  const { index, end = 0 } = indexIn(beginning) ?? {};
  if (index?.headers === undefined || !isOf(index, model, segment)) return undefined;
  const [bytes, digest] = index.headers;
  const frame = beginning.subarray(end, end + bytes);
  if (frame.length !== bytes || digest !== hash('sha256', frame)) return undefined;
  const headers = headersOf(frame.subarray(frameHeaderBytes)) ?? [];
  const isWhole = headers.every(
    (header, place) => header.model === model && header.sequence === segment.first + place,
  );
  if (!isWhole || headers.length !== index.entries.length) return undefined;
  return { headers, etags: index.entries.map(([, etag]) => etag) };
}

/** The headers of a frame; undefined where a later release, or somebody else, wrote it. */
function headersOf(content: Uint8Array): readonly EntryHeader[] | undefined {
  try {
    const lines = zstdDecompressSync(content, { maxOutputLength: limits.entryBytes });
    const texts = lines.toString('utf8').split('\n');
    return texts.map((line) => parseHeader(JSON.parse(line)));
  } catch {
    return undefined;
  }
}

function isOf({ model, first, entries }: Index, name: string, segment: Segment): boolean {
  const count = segment.last - segment.first + 1;
  return model === name && first === segment.first && entries.length === count;
}

/** The index that a file begins with, and where it ends. */
function indexIn(buffer: Buffer): { readonly index: Index; readonly end: number } | undefined {
  const end = frameBytes(buffer);
  if (end === undefined) return undefined;
  const text = buffer.toString('utf8', frameHeaderBytes, end);
  const index = indexSchema.safeParse(jsonIfAny(text)).data;
  return index && { index, end };
}

/** The bytes of the skippable frame that a file begins with; undefined if it begins with none. */
function frameBytes(buffer: Buffer): number | undefined {
  if (buffer.length < frameHeaderBytes || buffer.readUInt32LE(0) !== skippable) return undefined;
  return frameHeaderBytes + buffer.readUInt32LE(4);
}
