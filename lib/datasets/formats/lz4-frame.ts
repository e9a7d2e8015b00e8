/**
 * The content of an LZ4 frame (the frame and block formats of the LZ4 project, versions 1.6):
 * blocks may refer to those before them. Checksums are passed over.
 *
 * @throws Error if it is damaged, or would be longer than `most` bytes
 */
export function decodeLz4Frame(frame: Uint8Array, most: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 7 || view.getUint32(0, true) !== magic) throw damaged();
  const flags = frame[4] ?? 0;
  const hasBlockChecksums = (flags & 0x10) !== 0;
  // Magic, flags, block size; then the size of the content, a dictionary's id, and a checksum.
  let at = 6 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0) + 1;
  const output = new Output(most);
  for (;;) {
    if (at + 4 > frame.length) throw damaged();
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) return output.bytes();
    const length = size & 0x7fffffff;
    if (at + length > frame.length) throw damaged();
    const block = frame.subarray(at, at + length);
    if (size >>> 31 === 1) output.append(block);
    else decodeBlock(block, output);
    at += length + (hasBlockChecksums ? 4 : 0);
  }
}

const magic = 0x184d2204;
const leastMatch = 4;

/** Sequences of bytes as they are, and of bytes that stood before. */
function decodeBlock(block: Uint8Array, output: Output): void {
  let at = 0;
  const lengthFrom = (nibble: number) => {
    let length = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; ) {
      more = block[at++] ?? fail();
      length += more;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = lengthFrom(token >> 4);
    if (at + literals > block.length) throw damaged();
    output.append(block.subarray(at, at + literals));
    at += literals;
    // The last sequence has no match.
    if (at === block.length) return;
    const distance = (block[at++] ?? fail()) | ((block[at++] ?? fail()) << 8);
    output.repeat(distance, lengthFrom(token & 15) + leastMatch);
  }
}

/** Bytes that grow, up to a bound. */
class Output {
  readonly #most: number;
  #bytes = new Uint8Array(65_536);
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  append(more: Uint8Array): void {
    this.#reserve(more.length);
    this.#bytes.set(more, this.#length);
    this.#length += more.length;
  }

  /** Bytes from so far back once more; they may reach into themselves. */
  repeat(distance: number, length: number): void {
    if (distance === 0 || distance > this.#length) throw damaged();
    this.#reserve(length);
    const bytes = this.#bytes;
    for (let i = 0, to = this.#length; i < length; i++, to++) bytes[to] = bytes[to - distance] ?? 0;
    this.#length += length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed > this.#most) throw new Error(`it takes more than ${this.#most} bytes in memory`);
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.min(this.#most, Math.max(needed, 2 * this.#bytes.length)));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}

function damaged(): Error {
  return new Error('what LZ4 packed is damaged');
}

function fail(): never {
  throw damaged();
}
