import { hash } from 'node:crypto';
import * as z from 'zod';
import { MillraceError } from '../errors.ts';

/** The arrays that Millrace stores. */
export type StoredArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;
/** A named array with its shape. */
export type StoredTensor = { readonly shape: readonly number[]; readonly data: StoredArray };
/** The contents of one safetensors file: tensors by name, and texts. */
export type SafetensorsFile = {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Where an array lies: how far into some bytes, and how many elements it has. */
type Place = [bytes: ArrayBuffer, offset: number, elements: number];

const types = {
  F32: { bytes: 4, of: (...place: Place) => new Float32Array(...place) },
  F64: { bytes: 8, of: (...place: Place) => new Float64Array(...place) },
  I32: { bytes: 4, of: (...place: Place) => new Int32Array(...place) },
  I16: { bytes: 2, of: (...place: Place) => new Int16Array(...place) },
  I8: { bytes: 1, of: (...place: Place) => new Int8Array(...place) },
  U8: { bytes: 1, of: (...place: Place) => new Uint8Array(...place) },
} as const;

const headerSchema = z
  .object({ __metadata__: z.record(z.string(), z.string()).default({}) })
  .catchall(
    z.strictObject({
      dtype: z.enum(['F32', 'F64', 'I32', 'I16', 'I8', 'U8']),
      shape: z.array(z.int().nonnegative()),
      data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
    }),
  );

/** A header larger than this is a lie about its length. */
const headerBytesLimit = 100_000_000;

/**
 * Writes the safetensors format (little-endian; https://github.com/huggingface/safetensors): eight
 * bytes with the header's length, the header as JSON padded with spaces to eight bytes, then the
 * arrays, one after the other. Float64 arrays come first, so that every array is aligned.
 */
export function encodeSafetensors({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const ordered = Object.entries(tensors).sort(
    ([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT,
  );
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const [name, { shape, data }] of ordered) {
    const end = offset + data.byteLength;
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  // (All of it is written below.)
  const file = Buffer.allocUnsafeSlow(8 + headerBytes + offset);
  file.writeBigUInt64LE(BigInt(headerBytes), 0);
  json.copy(file, 8);
  file.fill(' ', 8 + json.length, 8 + headerBytes);
  let position = 8 + headerBytes;
  for (const [, { data }] of ordered) {
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).copy(file, position);
    position += data.byteLength;
  }
  return file;
}

/**
 * Reads a safetensors file.
 *
 * @param sharing whether arrays may lie in the file's own bytes, which nobody changes then; they are
 *   copies unless so
 * @throws MillraceError kind `corrupt` if the header lies about lengths, types, shapes or offsets
 */
export function decodeSafetensors(
  file: Uint8Array,
  { sharing = false }: { readonly sharing?: boolean } = {},
): SafetensorsFile {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = buffer.length < 8 ? Number.NaN : Number(buffer.readBigUInt64LE(0));
  if (!(headerBytes <= Math.min(buffer.length - 8, headerBytesLimit)))
    throw corrupt('its header is cut off');
  const { __metadata__: metadata, ...header } = parseHeader(
    buffer.toString('utf8', 8, 8 + headerBytes),
  );
  const body = buffer.subarray(8 + headerBytes);
  const tensors: Record<string, StoredTensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    const [start, end] = entry.data_offsets;
    const { bytes, of } = types[entry.dtype];
    const size = entry.shape.reduce((product, dimension) => product * dimension, 1);
    if (end - start !== size * bytes || end > body.length) {
      throw corrupt(
        `tensor ${name} of shape [${entry.shape}] does not fit its bytes ${start}…${end}`,
      );
    }
    const own = body.subarray(start, end);
    const isShared = sharing && own.byteOffset % bytes === 0 && own.buffer instanceof ArrayBuffer;
    const { buffer: place, byteOffset } = isShared ? own : new Uint8Array(own);
    tensors[name] = { shape: entry.shape, data: of(place as ArrayBuffer, byteOffset, size) };
  }
  return { tensors, metadata };
}

function parseHeader(json: string): z.output<typeof headerSchema> {
  try {
    return headerSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw corrupt('its header is not valid', cause);
  }
}

function dtypeOf(data: StoredArray): keyof typeof types {
  if (data instanceof Float64Array) return 'F64';
  if (data instanceof Uint8Array) return 'U8';
  if (data instanceof Int8Array) return 'I8';
  if (data instanceof Int16Array) return 'I16';
  return data instanceof Int32Array ? 'I32' : 'F32';
}

function corrupt(reason: string, cause?: unknown): MillraceError {
  return new MillraceError('corrupt', `a safetensors file cannot be read: ${reason}`, { cause });
}

/** SHA-256 in hex: the identity of a file that an entry names. */
export function digestOf(file: Uint8Array): string {
  return hash('sha256', file);
}

/** The digest covers the file as it is with a digest of zeros in its place. */
const noDigest = '0'.repeat(64);

/** A safetensors file whose metadata holds a SHA-256 digest over all of it. */
export function encodeDigested({ tensors, metadata }: SafetensorsFile): Uint8Array {
  const blank = encodeSafetensors({ tensors, metadata: { digest: noDigest, ...metadata } });
  const position = Buffer.from(blank.buffer, blank.byteOffset).indexOf(noDigest);
  const digest = digestOf(blank);
  blank.set(Buffer.from(digest), position);
  return blank;
}

/**
 * Reads {@link encodeDigested}. @throws MillraceError kind `corrupt` if the digest is not that of
 * the contents
 */
export function decodeDigested(file: Uint8Array): SafetensorsFile {
  const decoded = decodeSafetensors(file);
  const digest = decoded.metadata.digest ?? '';
  const blank = Buffer.from(file);
  const position = blank.indexOf(digest);
  if (digest.length === noDigest.length && position >= 0) blank.write(noDigest, position);
  if (digest.length !== noDigest.length || digestOf(blank) !== digest) {
    throw corrupt(`its digest is not that of its contents (found ${digest})`);
  }
  return decoded;
}
