import { limits } from '../../limits.ts';
import type { FilePlace } from './format.ts';

/** `\n`. */
export const newline = 10;
/** `\r`. */
export const carriageReturn = 13;
/** A space. */
export const space = 32;
/** `\t`. */
export const tab = 9;
const sliceBytes = 65_536;

function isLineEnd(byte: number | undefined): boolean {
  return byte === newline || byte === carriageReturn;
}

/** Where the next line ends, from `from` on: at `\n`, or at `\r` as old spreadsheets write it. */
export function lineEnd(bytes: Buffer, from: number): number {
  const first = bytes.indexOf(newline, from);
  const before = first < 0 ? bytes.length : first;
  const other = bytes.subarray(from, before).indexOf(carriageReturn);
  return other < 0 ? first : from + other;
}

/**
 * Reads a text by slices and knows how far its reader has come: the byte, and the line on which
 * that is. What lies behind that place is forgotten; what lies before it can be read again.
 */
export class TextReader {
  readonly #pieces: AsyncIterator<Buffer>;
  /** What was read last; from `#start` on it lies before the place. */
  #read: Buffer = Buffer.alloc(0);
  #start = 0;
  #at = 0;
  #line = 1;
  /** Whether the byte before the place is the first half of a line end of two. */
  #isInLineEnd = false;

  /** @param from the place in the text where the pieces begin */
  constructor(pieces: AsyncIterable<Buffer>, from: FilePlace = { at: 0, line: 1 }) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#at = from.at;
    this.#line = from.line;
    this.#isInLineEnd = from.isInLineEnd ?? false;
  }

  /** How far its reader has come. */
  get place(): FilePlace {
    return { at: this.#at, line: this.#line, isInLineEnd: this.#isInLineEnd };
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
    const ahead = position - this.#at;
    while (this.#read.length <= this.#start + ahead && (await this.#readOn()));
    const start = this.#start + ahead;
    return this.#read.subarray(start, start + sliceBytes);
  }

  /** The bytes at the place and some more, where fewer were read than a slice has. */
  async longerSlice(): Promise<Buffer> {
    while (this.#held().length < sliceBytes && (await this.#readOn()));
    return this.#held().subarray(0, sliceBytes);
  }

  /** Moves on over whole lines that were read, each of which ends with `\n`. */
  moveOver(bytes: number, lines: number): void {
    this.#start += bytes;
    this.#at += bytes;
    this.#line += lines;
    this.#isInLineEnd = false;
  }

  /** Moves on to a position that was read. */
  moveTo(position: number): void {
    const end = Math.min(this.#start + position - this.#at, this.#read.length);
    // Byte by byte: most lines are short.
    for (let i = this.#start; i < end; i++) {
      const byte = this.#read[i];
      const isSecondHalf = byte === newline && this.#isInLineEnd;
      if (isLineEnd(byte) && !isSecondHalf) this.#line += 1;
      this.#isInLineEnd = byte === carriageReturn;
    }
    this.#start = end;
    this.#at = position;
  }

  /**
   * Passes over line ends, and lines of white space: they belong to the record before, or to
   * nothing.
   *
   * @param isTabWhite not where it parts the cells
   * @param to stops at the first of them that begins at this byte or behind it
   */
  skipBlank(isTabWhite: boolean, to: number): void {
    let count = 0;
    const isWhite = (byte: number | undefined) =>
      isLineEnd(byte) || byte === space || (byte === tab && isTabWhite);
    for (let i = 0; isWhite(this.#read[this.#start + i]) && this.#at + count < to; i++)
      if (isLineEnd(this.#read[this.#start + i])) count = i + 1;
    if (count > 0) this.moveTo(this.#at + count);
  }

  /** The line at the place, behind empty ones; as far as a row may be long. */
  async peekLine(): Promise<string> {
    for (;;) {
      const held = this.#held();
      const text = held.toString('utf8', 0, limits.rowBytes).trimStart();
      const isWhole = /[\r\n]/.test(text) || held.length >= limits.rowBytes;
      if (isWhole || !(await this.#readOn())) return text.split(/\r?\n|\r/, 1)[0] ?? '';
    }
  }

  /** Passes over the rest of the line, however long it is, and answers how it begins. */
  async skipLine(): Promise<string> {
    let end = lineEnd(this.#held(), 0);
    while (end < 0 && this.#held().length < sliceBytes && (await this.#readOn()))
      end = lineEnd(this.#held(), 0);
    const shown = Math.min(sliceBytes, end < 0 ? sliceBytes : end);
    const start = this.#held().toString('utf8', 0, shown);
    while (end < 0) {
      this.moveTo(this.#at + this.#held().length);
      if (!(await this.#readOn())) break;
      end = lineEnd(this.#held(), 0);
    }
    this.moveTo(this.#at + end + 1);
    return start.trimEnd();
  }

  /** The bytes from `at` on, as far as they were read. */
  #held(): Buffer {
    return this.#read.subarray(this.#start);
  }

  async #readOn(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (done) return false;
    const held = this.#held();
    this.#read = held.length === 0 ? value : Buffer.concat([held, value]);
    this.#start = 0;
    return true;
  }
}
