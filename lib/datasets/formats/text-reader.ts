import { limits } from '../../limits.ts';

const newline = 10;
const carriageReturn = 13;
const sliceBytes = 65_536;

/**
 * Reads a text by slices and knows how far its reader has come: the byte, and the line on which
 * that is. What lies behind that place is forgotten; what lies before it can be read again.
 */
export class TextReader {
  readonly #pieces: AsyncIterator<Buffer>;
  /** The bytes from `at` on, as far as they were read. */
  #held: Buffer = Buffer.alloc(0);
  #at = 0;
  #line = 1;

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Bytes before the place. */
  get at(): number {
    return this.#at;
  }

  /** The line of the place, from 1. */
  get line(): number {
    return this.#line;
  }

  /** Some bytes from a position on, at or behind the place; empty at the end of the text. */
  async sliceFrom(position: number): Promise<Buffer> {
    const start = position - this.#at;
    while (this.#held.length <= start && (await this.#readOn()));
    return this.#held.subarray(start, start + sliceBytes);
  }

  /** Moves on to a position that was read. */
  moveTo(position: number): void {
    const passed = this.#held.subarray(0, position - this.#at);
    for (let i = passed.indexOf(newline); i >= 0; i = passed.indexOf(newline, i + 1))
      this.#line += 1;
    this.#held = this.#held.subarray(passed.length);
    this.#at = position;
  }

  /** Passes over line ends: they belong to the record before, or to empty lines. */
  skipBlank(): void {
    let count = 0;
    while (this.#held[count] === carriageReturn || this.#held[count] === newline) count += 1;
    this.moveTo(this.#at + count);
  }

  /** The line at the place, behind empty ones; as far as a row may be long. */
  async peekLine(): Promise<string> {
    for (;;) {
      const text = this.#held.toString('utf8', 0, limits.rowBytes).trimStart();
      const isWhole = /[\r\n]/.test(text) || this.#held.length >= limits.rowBytes;
      if (isWhole || !(await this.#readOn())) return text.split(/\r?\n|\r/, 1)[0] ?? '';
    }
  }

  /** Passes over the rest of the line, however long it is, and answers how it begins. */
  async skipLine(): Promise<string> {
    let end = this.#held.indexOf(newline);
    while (end < 0 && this.#held.length < sliceBytes && (await this.#readOn()))
      end = this.#held.indexOf(newline);
    const start = this.#held.toString('utf8', 0, sliceBytes);
    while (end < 0) {
      this.moveTo(this.#at + this.#held.length);
      if (!(await this.#readOn())) break;
      end = this.#held.indexOf(newline);
    }
    this.moveTo(this.#at + end + 1);
    return start.split('\n', 1)[0]?.trimEnd() ?? '';
  }

  async #readOn(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (done) return false;
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
    return true;
  }
}
