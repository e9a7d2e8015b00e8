import { grown } from '../grown.ts';
import type { RowRange, TextColumn } from './cell-table.ts';

/** Cells of more bytes are hardly ever the same as others. */
const longestKey = 64;

/** Cells of so many bytes are told apart by two integers. */
const longestWord = 7;
const wordBytes = 8;
/** Which bits of eight bytes, lowest first, are those of so many. */
const lowBits = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1);
const highBits = Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff);

/**
 * Numbers cells from 0 on, as they come: the same bytes have the same number. It holds no more than
 * the bytes of each.
 */
export class CellIndex {
  /** By hash: one more than a number; 0 where there is none. */
  #slots = new Int32Array(1_024);
  /** Of each number two integers: short bytes as they are, or the hash of longer ones. */
  #words = new Int32Array(1_024);
  /** Where the longer bytes of each number end. */
  #ends = new Int32Array(512);
  #bytes = new Uint8Array(4_096);
  #size = 0;

  /** So many numbers were given. */
  get size(): number {
    return this.#size;
  }

  /**
   * Finds the numbers of short cells of a column, row by row: −1 where a cell is new, or longer
   * than {@link longestWord}; see {@link numberOf}.
   *
   * @returns how many were found
   */
  find(
    { bytes, bounds, stride, offset }: TextColumn,
    { start, count }: RowRange,
    into: Int32Array,
  ): number {
    let known = 0;
    const slots = this.#slots;
    const words = this.#words;
    const mask = slots.length - 1;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const last = bytes.length - wordBytes;
    // Neighbours are often the same.
    let lowBefore = 0;
    let highBefore = -1;
    let found = -1;
    for (let row = 0, place = start * stride + offset; row < count; row++, place += stride) {
      const from = bounds[place] ?? -1;
      const length = (bounds[place + 1] ?? -1) - from;
      into[row] = -1;
      if (from < 0 || from > last || length > longestWord) continue;
      const low = view.getInt32(from, true) & (lowBits[length] ?? 0);
      const high = (view.getInt32(from + 4, true) & (highBits[length] ?? 0)) | (length << 24);
      if (low !== lowBefore || high !== highBefore) {
        lowBefore = low;
        highBefore = high;
        let slot = mixed(low, high) & mask;
        found = (slots[slot] ?? 0) - 1;
        while (found >= 0 && (words[2 * found] !== low || words[2 * found + 1] !== high)) {
          slot = (slot + 1) & mask;
          found = (slots[slot] ?? 0) - 1;
        }
      }
      into[row] = found;
      known += found >= 0 ? 1 : 0;
    }
    return known;
  }

  /**
   * The number of the bytes from `start` up to `end`, which is `size` as it was before if they are
   * new; −1 if they are too many.
   */
  numberOf(text: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length > longestKey) return -1;
    let low = 0;
    let high = length << 24;
    if (length <= longestWord) {
      const middle = Math.min(end, start + 4);
      for (let at = start; at < middle; at++) low |= (text[at] ?? 0) << (8 * (at - start));
      for (let at = middle; at < end; at++) high |= (text[at] ?? 0) << (8 * (at - middle));
    } else low = hashOf(text, start, end);
    const mask = this.#slots.length - 1;
    for (let slot = mixed(low, high) & mask; ; slot = (slot + 1) & mask) {
      const found = (this.#slots[slot] ?? 0) - 1;
      if (found < 0) return this.#add(text.subarray(start, end), { low, high, slot });
      if (this.#words[2 * found] !== low || this.#words[2 * found + 1] !== high) continue;
      if (length <= longestWord || this.#isSame(found, text, start)) return found;
    }
  }

  /** Whether the bytes of a number are those that begin at a place; they are as long. */
  #isSame(number: number, text: Uint8Array, start: number): boolean {
    const end = this.#ends[number] ?? 0;
    const from = number === 0 ? 0 : (this.#ends[number - 1] ?? 0);
    for (let own = from, at = start; own < end; own++, at++)
      if (this.#bytes[own] !== text[at]) return false;
    return true;
  }

  #add(
    key: Uint8Array,
    { low, high, slot }: { readonly low: number; readonly high: number; readonly slot: number },
  ): number {
    const number = this.#size;
    const from = number === 0 ? 0 : (this.#ends[number - 1] ?? 0);
    const own = key.length > longestWord ? key.length : 0;
    if (from + own > this.#bytes.length) this.#bytes = grown(this.#bytes, from + own);
    if (number >= this.#ends.length) {
      this.#ends = grown(this.#ends, number + 1);
      this.#words = grown(this.#words, 2 * number + 2);
    }
    if (own > 0) this.#bytes.set(key, from);
    this.#ends[number] = from + own;
    this.#words[2 * number] = low;
    this.#words[2 * number + 1] = high;
    this.#slots[slot] = number + 1;
    this.#size += 1;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return number;
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#size; number++) {
      const [low = 0, high = 0] = this.#words.subarray(2 * number, 2 * number + 2);
      let slot = mixed(low, high) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

/** Two integers as one whose low bits depend on all of them. */
function mixed(low: number, high: number): number {
  const product = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return product ^ (product >>> 15);
}

/** FNV-1a. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  return hash;
}
