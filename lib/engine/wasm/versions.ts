/** A part of the memory whose rows change a few at a time: a table, or a slot over it. */
export type Region = {
  /** The name of the state's part that it belongs to, and where it begins in that. */
  readonly part: string;
  readonly offset: number;
  readonly address: number;
  readonly rows: number;
  readonly width: number;
};

/** The rows that a change touched, and what they were before, region by region. */
type Change = {
  readonly to: Version;
  readonly rows: Int32Array;
  readonly before: readonly Float32Array[];
};

/**
 * A table, as it was at some time, with its slots. The newest version lies in the memory; an older
 * one knows what has changed since (Baker 1978: shallow binding), so that a change costs what it
 * touches and all versions can still be read.
 */
export class Version {
  readonly #regions: readonly Region[];
  readonly #memory: () => ArrayBuffer;
  #change: Change | undefined;
  /** Rows that have changed since all of it was copied last. */
  #spent = 0;
  /** All of it, once somebody wanted to read it or the memory was needed. */
  #copies: readonly Float32Array[] | undefined;

  constructor(regions: readonly Region[], memory: () => ArrayBuffer) {
    this.#regions = regions;
    this.#memory = memory;
  }

  /** All elements of a region. */
  read(region: Region): Float32Array {
    return this.#all()[this.#regions.indexOf(region)] ?? new Float32Array();
  }

  /** Keeps all of it, before the memory is used for something else. */
  leave(): void {
    this.#all();
  }

  /**
   * The version after this one, which lies in the memory now. `change` changes these rows there and
   * nothing else; if it throws, they are what they were.
   */
  advance(rows: Int32Array, change: () => void): Version {
    // When as much has changed as there is, a copy costs no more than the changes did; and whoever
    // keeps an old version keeps no more than that.
    const [{ rows: all = 0 } = {}] = this.#regions;
    const isDue = this.#spent + rows.length > all;
    if (isDue) this.leave();
    const before = this.current(rows);
    try {
      change();
    } catch (error) {
      this.#regions.forEach((region, i) => {
        scatter(this.#elements(region), region, rows, before[i] ?? new Float32Array());
      });
      throw error;
    }
    const to = new Version(this.#regions, this.#memory);
    to.#spent = isDue ? 0 : this.#spent + rows.length;
    if (this.#copies === undefined) this.#change = { to, rows, before };
    return to;
  }

  /** What rows hold now in the memory, one after another, region by region. */
  current(rows: Int32Array): readonly Float32Array[] {
    return this.#regions.map((region) => this.#gather(region, rows));
  }

  #all(): readonly Float32Array[] {
    if (this.#copies !== undefined) return this.#copies;
    // From here to the memory, or to a version that was copied.
    const changes: Change[] = [];
    let end: Version = this;
    while (end.#copies === undefined && end.#change !== undefined) {
      changes.push(end.#change);
      end = end.#change.to;
    }
    const copies =
      end.#copies?.map((copy) => copy.slice()) ??
      this.#regions.map((region) => this.#elements(region).slice());
    for (const { rows, before } of changes.reverse()) {
      copies.forEach((copy, i) => {
        const region = this.#regions[i];
        if (region !== undefined) scatter(copy, region, rows, before[i] ?? new Float32Array());
      });
    }
    this.#copies = copies;
    this.#change = undefined;
    return copies;
  }

  #elements({ address, rows, width }: Region): Float32Array {
    return new Float32Array(this.#memory(), address, rows * width);
  }

  #gather(region: Region, rows: Int32Array): Float32Array {
    const { width } = region;
    const elements = this.#elements(region);
    const gathered = new Float32Array(rows.length * width);
    for (let i = 0; i < rows.length; i++) {
      const from = (rows[i] ?? 0) * width;
      for (let j = 0; j < width; j++) gathered[i * width + j] = elements[from + j] ?? 0;
    }
    return gathered;
  }
}

function scatter(
  target: Float32Array,
  { width }: Region,
  rows: Int32Array,
  values: Float32Array,
): void {
  for (let i = 0; i < rows.length; i++) {
    const to = (rows[i] ?? 0) * width;
    for (let j = 0; j < width; j++) target[to + j] = values[i * width + j] ?? 0;
  }
}
