/** What came of pairs of small integers; one that comes is kept in the place of another. */
export class PairCache {
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #values: Int32Array;
  readonly #shift: number;

  /** @param bits of the number of pairs that it keeps at most */
  constructor(bits: number) {
    this.#first = new Int32Array(2 ** bits).fill(-1);
    this.#second = new Int32Array(2 ** bits);
    this.#values = new Int32Array(2 ** bits);
    this.#shift = 32 - bits;
  }

  /** −1 if nothing is kept of a pair. */
  get(first: number, second: number): number {
    const slot = hashOf(first, second) >>> this.#shift;
    const isKept = this.#first[slot] === first && this.#second[slot] === second;
    return isKept ? (this.#values[slot] ?? -1) : -1;
  }

  set(first: number, second: number, value: number): void {
    const slot = hashOf(first, second) >>> this.#shift;
    this.#first[slot] = first;
    this.#second[slot] = second;
    this.#values[slot] = value;
  }
}

function hashOf(first: number, second: number): number {
  return Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b);
}
