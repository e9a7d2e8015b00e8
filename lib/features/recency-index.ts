/**
 * Where each value is, and which has not come for longest: rows in a ring, in the order in which
 * they were seen last, behind an end that is no row.
 */
export class RecencyIndex {
  readonly #rows = new Map<number, number>();
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #end: number;

  /** @param rows how many there may be */
  constructor(rows: number) {
    this.#end = rows;
    this.#next = new Int32Array(rows + 1).fill(rows);
    this.#previous = this.#next.slice();
  }

  /** The row of a value, counted from 0; undefined if it has none. */
  rowOf(hash: number): number | undefined {
    return this.#rows.get(hash);
  }

  /** The row that was seen last before all others; undefined if none is taken. */
  get oldest(): number | undefined {
    const row = this.#next[this.#end];
    return row === this.#end ? undefined : row;
  }

  /** Gives a new row to a value, which was seen. */
  add(hash: number, row: number): void {
    this.#rows.set(hash, row);
    this.#append(row);
  }

  /** Takes the row of a value. */
  remove(hash: number, row: number): void {
    this.#rows.delete(hash);
    this.#unlink(row);
  }

  /** A row was seen. */
  touch(row: number): void {
    this.#unlink(row);
    this.#append(row);
  }

  #append(row: number): void {
    const last = this.#previous[this.#end] ?? 0;
    this.#next[last] = row;
    this.#previous[row] = last;
    this.#next[row] = this.#end;
    this.#previous[this.#end] = row;
  }

  #unlink(row: number): void {
    const [before = 0, after = 0] = [this.#previous[row], this.#next[row]];
    this.#next[before] = after;
    this.#previous[after] = before;
  }
}
