import { isUtf8 } from 'node:buffer';
import { limits } from '../limits.ts';
import { type ByteSource, piecesOf } from './byte-source.ts';
import { lineEnd, newline } from './formats/text-reader.ts';
import { magicBytes, unpackerFor } from './unpack.ts';

/**
 * A text file in pieces of UTF-8 without a byte-order mark, whether it is gzip, zstd, UTF-16 or
 * none of them. A piece may end inside of a line, but not inside of a character.
 *
 * @param first byte of the text to begin at, where a character begins: what is UTF-8 already is
 *   read from there on, the rest decoded and passed over
 * @throws Error if it is neither, or damaged
 */
export async function* textOf(
  source: ByteSource,
  first = 0,
  pieceBytes?: number,
): AsyncGenerator<Buffer> {
  const start = await source.read(0, Math.min(magicBytes, source.sizeBytes));
  const unpack = unpackerFor(start);
  if (first > 0 && unpack === undefined && utf16Of(start) === undefined) {
    const pieces = piecesOf(source, first + (hasUtf8Mark(start) ? markBytes : 0), pieceBytes);
    yield* decoded(withWholeMark(pieces), utf8Checker(0));
    return;
  }
  let toSkip = first;
  let isBegun = first > 0;
  const pieces = unpack === undefined ? piecesOf(source, 0, pieceBytes) : unpack(source);
  for await (const piece of decoded(withWholeMark(pieces))) {
    if (!isBegun && piece.length > 0) {
      assertNoPage(piece);
      isBegun = true;
    }
    const rest = piece.subarray(toSkip);
    toSkip -= piece.length - rest.length;
    // (Nothing, while it is on its way to the place.)
    yield toSkip === 0 ? rest : nothing;
  }
}

const nothing = Buffer.alloc(0);

/** @throws Error if a text begins as a page does: what a server says instead of a file */
function assertNoPage(start: Buffer): void {
  const [tag] =
    /^\s*<(!doctype|html|head|\?xml)\b[^>]{0,80}/i.exec(start.toString('utf8', 0, 200)) ?? [];
  if (tag !== undefined)
    throw new Error(`it is a page of HTML or XML (${tag.trim()}>), not rows; fetch the file again`);
}

/** Whether a text can be read from any of its lines on: it is neither packed nor UTF-16. */
export async function isReadAnywhere(source: ByteSource): Promise<boolean> {
  const start = await source.read(0, Math.min(magicBytes, source.sizeBytes));
  return unpackerFor(start) === undefined && utf16Of(start) === undefined;
}

/** The first line of such a text that begins at a byte or behind it; its end if there is none. */
export async function lineFrom(source: ByteSource, at: number): Promise<number> {
  const mark = hasUtf8Mark(await source.read(0, Math.min(markBytes, source.sizeBytes)))
    ? markBytes
    : 0;
  let before = at - 1;
  let isBehindReturn = false;
  for await (const piece of piecesOf(source, before + mark, limits.lookBytes)) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (isBehindReturn) return before + (bytes[0] === newline ? 1 : 0);
    const end = lineEnd(bytes, 0);
    before += bytes.length;
    if (end < 0) continue;
    const next = before - bytes.length + end + 1;
    if (bytes[end] === newline) return next;
    if (end + 1 < bytes.length) return next + (bytes[end + 1] === newline ? 1 : 0);
    isBehindReturn = true;
  }
  return before;
}

/** The same bytes; the first piece is long enough to hold a byte-order mark. */
async function* withWholeMark(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (start === undefined) yield bytes;
    else {
      start = start.length === 0 ? bytes : Buffer.concat([start, bytes]);
      if (start.length < markBytes) continue;
      yield start;
      start = undefined;
    }
  }
  if (start !== undefined) yield start;
}

const markBytes = 3;

async function* decoded(
  pieces: AsyncIterable<Buffer>,
  decode?: (bytes: Buffer) => Buffer,
): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    decode ??= decoderFor(piece);
    yield decode(piece);
  }
  decode?.(Buffer.alloc(0));
}

/** A decoder for texts that begin so. Nothing at all is their end. */
function decoderFor(start: Buffer): (bytes: Buffer) => Buffer {
  const utf16 = utf16Of(start);
  if (utf16 !== undefined) return utf16Decoder(utf16);
  // UTF-16 without a mark, or no text at all.
  if (start.subarray(0, 1_000).includes(0)) throw new Error(wrongEncoding);
  return utf8Checker(hasUtf8Mark(start) ? markBytes : 0);
}

function utf16Of(start: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le';
  return start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : undefined;
}

function hasUtf8Mark(start: Uint8Array): boolean {
  return start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf;
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
  'its text must be UTF-8 without zero bytes, or UTF-16 with a byte-order mark; save it again as ' +
  'that, or unpack it once more if it is packed twice';
