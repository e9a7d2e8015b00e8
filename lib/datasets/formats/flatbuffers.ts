/**
 * A table of a flatbuffer, of which some fields are read. Whatever it points at lies within the
 * buffer: what would not throws a RangeError.
 */
export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  /** The root of a buffer. */
  static rootOf(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  uint8(field: number): number {
    const at = this.#placeOf(field);
    return at === undefined ? 0 : this.#view.getUint8(at);
  }

  int32(field: number): number {
    const at = this.#placeOf(field);
    return at === undefined ? 0 : this.#view.getInt32(at, true);
  }

  /** A whole number of 64 bits, as far as JavaScript has it exactly. */
  int64(field: number): number {
    const at = this.#placeOf(field);
    return at === undefined ? 0 : exact(this.#view.getBigInt64(at, true));
  }

  table(field: number): FlatTable | undefined {
    const at = this.#placeOf(field);
    return at === undefined ? undefined : new FlatTable(this.#view, this.#target(at));
  }

  /** A list of tables. */
  tables(field: number): readonly FlatTable[] {
    return this.#places(field, 4).map((at) => new FlatTable(this.#view, this.#target(at)));
  }

  /** A list of structs of whole numbers of 64 bits. */
  pairs(field: number): readonly (readonly [number, number])[] {
    return this.#places(field, 16).map((at) => [
      exact(this.#view.getBigInt64(at, true)),
      exact(this.#view.getBigInt64(at + 8, true)),
    ]);
  }

  /** The whole numbers of 64 bits with which the structs of a list begin. */
  int64s(field: number, strideBytes: number): readonly number[] {
    return this.#places(field, strideBytes).map((at) => exact(this.#view.getBigInt64(at, true)));
  }

  /** That a list, or a text, lies within the buffer. */
  check(field: number, strideBytes: number): void {
    this.#places(field, strideBytes);
  }

  #places(field: number, strideBytes: number): readonly number[] {
    const at = this.#placeOf(field);
    if (at === undefined) return [];
    const start = this.#target(at);
    const length = this.#view.getUint32(start, true);
    if (start + 4 + length * strideBytes > this.#view.byteLength) throw new RangeError('too long');
    return Array.from({ length }, (_, i) => start + 4 + i * strideBytes);
  }

  #target(at: number): number {
    return at + this.#view.getUint32(at, true);
  }

  #placeOf(field: number): number | undefined {
    const vtable = this.#at - this.#view.getInt32(this.#at, true);
    const slot = 4 + 2 * field;
    if (slot >= this.#view.getUint16(vtable, true)) return undefined;
    const offset = this.#view.getUint16(vtable + slot, true);
    return offset === 0 ? undefined : this.#at + offset;
  }
}

function exact(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError('too large');
  return number;
}
