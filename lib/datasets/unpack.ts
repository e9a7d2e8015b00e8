import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { reasonOf } from '../errors.ts';
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
  if (start[0] === 0x1f && start[1] === 0x8b)
    return (source) => sayingWhatBroke('gzip', gunzipped(source));
  if (!isZstd(start) && !isSkippable(start)) return undefined;
  return (source) => sayingWhatBroke('zstd', unzstded(source));
}

/** What is wrong, by the code of an error. */
const hows: Readonly<Record<string, string>> = {
  Z_BUF_ERROR: 'is cut short',
  ZSTD_error_frameParameter_windowTooLarge:
    'looks too far back to be unpacked in little memory; pack it with at most --long=27',
};

/** @throws Error that says whether it ends too early or is damaged, in words */
async function* sayingWhatBroke(
  packing: string,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const how = hows[code] ?? 'is damaged';
    throw new Error(`its ${packing} ${how} (${reasonOf(cause)})`, { cause });
  }
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
  const packed = new PackedBytes(source);
  for (;;) {
    const head = await packed.peek(frameHeadBytes);
    if (head.length === 0) return;
    if (isSkippable(head)) {
      const content = head.length < frameHeadBytes ? 0 : head.readUInt32LE(4);
      await packed.skip(frameHeadBytes + content);
    } else if (isZstd(head)) yield* oneFrame(packed);
    else throw new Error('its zstd is followed by something else');
  }
}

/** The content of the frame at the place of some packed bytes, which are moved behind it. */
async function* oneFrame(packed: PackedBytes): AsyncGenerator<Uint8Array> {
  const frame = createZstdDecompress({ chunkSize });
  let passed = 0;
  const pass = () => {
    packed.drop(frame.bytesWritten - passed);
    passed = frame.bytesWritten;
  };
  // Few bytes at first: what a short frame is given of the next ones is given again.
  const give = async function* () {
    for (let most = 16_384; ; most = Math.min(2 * most, chunkSize)) {
      pass();
      const bytes = await packed.next(most);
      if (bytes.length === 0) return;
      yield bytes;
    }
  };
  const giving = give();
  pipeline(Readable.from(giving, { highWaterMark: 1 }), frame).catch(() => undefined);
  yield* frame;
  await giving.return();
  pass();
  packed.rewind();
}

/** The bytes of a packed file from a place on, of which some were given on, and may come back. */
class PackedBytes {
  readonly #pieces: AsyncGenerator<Uint8Array>;
  /** From the place on, as far as they were read. */
  #held: Buffer = Buffer.alloc(0);
  #given = 0;

  constructor(source: ByteSource) {
    this.#pieces = piecesOf(source);
  }

  /** So many bytes at the place, fewer at the end. */
  async peek(count: number): Promise<Buffer> {
    while (this.#held.length < count && (await this.#readOn()));
    return this.#held.subarray(0, count);
  }

  /** The next bytes behind those that were given; none at the end. */
  async next(most: number): Promise<Buffer> {
    if (this.#given === this.#held.length) await this.#readOn();
    const bytes = this.#held.subarray(this.#given, this.#given + most);
    this.#given += bytes.length;
    return bytes;
  }

  /** Moves the place behind bytes that were given. */
  drop(count: number): void {
    this.#held = this.#held.subarray(count);
    this.#given -= count;
  }

  /** What was given behind the place is given again. */
  rewind(): void {
    this.#given = 0;
  }

  /** Moves the place behind bytes that nobody needs. @throws Error if there are fewer */
  async skip(count: number): Promise<void> {
    let left = count;
    while (left > this.#held.length) {
      left -= this.#held.length;
      this.#held = Buffer.alloc(0);
      if (!(await this.#readOn())) throw new Error('its zstd ends too early');
    }
    this.#held = this.#held.subarray(left);
  }

  async #readOn(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (done) return false;
    const piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    return true;
  }
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
