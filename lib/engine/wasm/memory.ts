import { vectorBytes } from '../../wasm/instructions.ts';

/** Bytes that a module has in its memory from the beginning. */
export type Segment = { readonly address: number; readonly bytes: Uint8Array };

/** Linear memory while a module is made: it only grows. */
export class Memory {
  #end = 64;
  readonly #segments: Segment[] = [];

  /** The address of so many bytes, which no vector of anything else reaches. */
  allocate(bytes: number): number {
    const address = this.#end;
    // What is loaded four elements at a time may read past its end.
    this.#end += Math.ceil(bytes / vectorBytes) * vectorBytes + vectorBytes;
    return address;
  }

  /** The address of known elements. */
  keep(data: Float32Array | Int32Array): number {
    const address = this.allocate(data.byteLength);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    this.#segments.push({ address, bytes });
    return address;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#end;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }
}

/** A value that lies in memory from one kernel to another. */
export type Lifetime = {
  readonly name: string;
  readonly bytes: number;
  /** The kernels that make it, and that read it last. */
  readonly from: number;
  readonly to: number;
};

/** Addresses of values, of which those that are never there at once may share memory. */
export function shareMemory(
  memory: Memory,
  lifetimes: readonly Lifetime[],
): ReadonlyMap<string, number> {
  const placed: (Lifetime & { readonly start: number; readonly end: number })[] = [];
  for (const lifetime of lifetimes) {
    const size = (Math.ceil(lifetime.bytes / vectorBytes) + 1) * vectorBytes;
    const beside = placed
      .filter(({ from, to }) => from <= lifetime.to && lifetime.from <= to)
      .toSorted((a, b) => a.start - b.start);
    let start = 0;
    for (const other of beside) {
      if (start + size <= other.start) break;
      start = Math.max(start, other.end);
    }
    placed.push({ ...lifetime, start, end: start + size });
  }
  const base = memory.allocate(placed.reduce((most, { end }) => Math.max(most, end), 0));
  return new Map(placed.map(({ name, start }) => [name, base + start]));
}
