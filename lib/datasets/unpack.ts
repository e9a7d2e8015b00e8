import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type ByteSource, piecesOf } from './byte-source.ts';

/** Bytes at the beginning of a file that tell whether it is packed. */
export const magicBytes = 4;

/**
 * What unpacks a file that begins so; undefined if it is not packed.
 *
 * @returns pieces of what was packed, all members or frames of it; they throw an Error if it is
 *   damaged or ends too early
 */
export function unpackerFor(
  start: Uint8Array,
): ((source: ByteSource) => AsyncIterable<Uint8Array>) | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return gunzipped;
  return isZstd(start) || isSkippable(start) ? unzstded : undefined;
}

const chunkSize = 262_144;

function gunzipped(source: ByteSource): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip({ chunkSize });
  // Its failure is thrown where the text is read.
  pipeline(Readable.from(piecesOf(source)), gunzip).catch(() => undefined);
  return gunzip;
}

/** Frames one after another: Node's decompressor stops behind the first. */
async function* unzstded(source: ByteSource): AsyncGenerator<Uint8Array> {
  const pieces = piecesOf(source);
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    rest = await filledUp(rest, pieces, frameHeadBytes);
    if (rest.length === 0) return;
    if (isSkippable(rest)) {
      const skipped = frameHeadBytes + (rest.length < frameHeadBytes ? 0 : rest.readUInt32LE(4));
      rest = await filledUp(rest, pieces, skipped);
      if (rest.length < skipped) throw new Error('its zstd ends too early');
      rest = rest.subarray(skipped);
      continue;
    }
    if (!isZstd(rest)) throw new Error('its zstd is followed by something else');
    rest = yield* oneFrame(rest, pieces);
  }
}

/** The content of the frame that some bytes begin. @returns the bytes behind it */
async function* oneFrame(
  start: Buffer,
  pieces: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array, Buffer> {
  const frame = createZstdDecompress({ chunkSize });
  /** What was given to the frame and it has not passed yet; the bytes given before. */
  let given: Uint8Array[] = [];
  let before = 0;
  const give = async function* () {
    for (let piece: Uint8Array | undefined = start; piece !== undefined; ) {
      for (let first = given[0]; first && before + first.length <= frame.bytesWritten; ) {
        before += first.length;
        given = given.slice(1);
        first = given[0];
      }
      given.push(piece);
      yield piece;
      piece = (await pieces.next()).value ?? undefined;
    }
  };
  const giving = give();
  pipeline(Readable.from(giving), frame).catch(() => undefined);
  yield* frame;
  await giving.return();
  return Buffer.concat(given).subarray(frame.bytesWritten - before);
}

async function filledUp(
  rest: Buffer,
  pieces: AsyncGenerator<Uint8Array>,
  least: number,
): Promise<Buffer> {
  let filled = rest;
  while (filled.length < least) {
    const { done, value } = await pieces.next();
    if (done) return filled;
    filled = Buffer.concat([filled, value]);
  }
  return filled;
}

/** Of a frame, what says whether and how far it can be skipped. */
const frameHeadBytes = 8;

function isZstd(start: Uint8Array): boolean {
  return [0x28, 0xb5, 0x2f, 0xfd].every((byte, i) => start[i] === byte);
}

/** A frame that holds no content (RFC 8878, 3.1.2), as parallel packers write them. */
function isSkippable(start: Uint8Array): boolean {
  const isOne = [0x2a, 0x4d, 0x18].every((byte, i) => start[i + 1] === byte);
  return isOne && ((start[0] ?? 0) & 0xf0) === 0x50;
}
