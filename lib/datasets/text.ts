import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type ByteSource, piecesOf } from './byte-source.ts';

/**
 * A text file in pieces of UTF-8 without a byte-order mark, whether it is gzip, UTF-16 or neither.
 * A piece may end inside of a line, but not inside of a character.
 *
 * @throws Error if it is neither, or damaged
 */
export async function* textOf(source: ByteSource): AsyncGenerator<Buffer> {
  const start = await source.read(0, Math.min(2, source.sizeBytes));
  const isGzip = start[0] === 0x1f && start[1] === 0x8b;
  const pieces = isGzip ? unpacked(source) : piecesOf(source);
  yield* decoded(withWholeMark(pieces));
}

function unpacked(source: ByteSource): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: unpackedBytes });
  // Its failure is thrown where the text is read.
  pipeline(Readable.from(piecesOf(source)), gunzip).catch(() => undefined);
  return gunzip;
}

const unpackedBytes = 262_144;

/** The same bytes; the first piece is long enough to hold a byte-order mark. */
async function* withWholeMark(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (start === undefined) yield bytes;
    else {
      start = Buffer.concat([start, bytes]);
      if (start.length < markBytes) continue;
      yield start;
      start = undefined;
    }
  }
  if (start !== undefined) yield start;
}

const markBytes = 3;

async function* decoded(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let decode: ((bytes: Buffer) => Buffer) | undefined;
  for await (const piece of pieces) {
    decode ??= decoderFor(piece);
    yield decode(piece);
  }
  decode?.(Buffer.alloc(0));
}

/** A decoder for texts that begin so. Nothing at all is their end. */
function decoderFor(start: Buffer): (bytes: Buffer) => Buffer {
  if (start[0] === 0xff && start[1] === 0xfe) return utf16Decoder('utf-16le');
  if (start[0] === 0xfe && start[1] === 0xff) return utf16Decoder('utf-16be');
  // UTF-16 without a mark, or no text at all.
  if (start.subarray(0, 1_000).includes(0)) throw new Error(wrongEncoding);
  const hasMark = start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf;
  return utf8Checker(hasMark ? markBytes : 0);
}

function utf16Decoder(encoding: string) {
  const decoder = new TextDecoder(encoding, { fatal: true });
  return (bytes: Buffer) => {
    try {
      return Buffer.from(decoder.decode(bytes, { stream: bytes.length > 0 }));
    } catch (cause) {
      throw new Error(wrongEncoding, { cause });
    }
  };
}

/** @param skipped bytes of a byte-order mark */
function utf8Checker(skipped: number) {
  let rest: Buffer = Buffer.alloc(0);
  let toSkip = skipped;
  return (bytes: Buffer) => {
    const all = rest.length === 0 ? bytes.subarray(toSkip) : Buffer.concat([rest, bytes]);
    toSkip = 0;
    const end = bytes.length === 0 ? all.length : all.length - bytesOfUnfinished(all);
    const whole = all.subarray(0, end);
    if (!isUtf8(whole)) throw new Error(wrongEncoding);
    rest = all.subarray(end);
    return whole;
  };
}

/** Of the last character, the bytes that are there, if some are not. */
function bytesOfUnfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

const wrongEncoding =
  'its text must be UTF-8, or UTF-16 with a byte-order mark; save it again as that';
