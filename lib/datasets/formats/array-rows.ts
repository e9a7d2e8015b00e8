import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';
import { type BinaryReader, chunkOf, rowsOfChunk } from './format.ts';
import type { ArrayHeader } from './numpy-array.ts';

/** An array of a file: a column for each field or, of a plain one, for itself. */
export type StoredArray = {
  /** Of an archive its name there; of a file alone none. */
  readonly name: string | undefined;
  readonly header: ArrayHeader;
  /** Its bytes from one on, in order. */
  readonly from: (start: number) => AsyncIterable<Uint8Array>;
  /** Whether it can be read from anywhere at once. */
  readonly isPlain: boolean;
};

/** A reader of files that hold arrays: a column for each, all of which have as many rows. */
export function arrayReader(
  open: (bytes: ByteSource) => Promise<readonly StoredArray[]>,
): BinaryReader {
  return {
    async *read(bytes, needed, stretch) {
      yield* rowsOf(await open(bytes), needed, stretch);
    },
    cuts: async (bytes, stretchBytes) => cutsOf(await open(bytes), stretchBytes),
  };
}

async function* rowsOf(
  arrays: readonly StoredArray[],
  needed: ReadonlySet<string> | undefined,
  { from, to = Number.POSITIVE_INFINITY }: Parameters<BinaryReader['read']>[2],
) {
  const first = from?.at ?? 0;
  const [one] = arrays;
  const rows = one?.header.rows ?? 0;
  const other = arrays.find(({ header }) => header.rows !== rows);
  if (other !== undefined)
    throw new Error(`${one?.name} has ${rows} rows, and ${other.name} has ${other.header.rows}`);
  const columns = arrays.flatMap((array) => columnsOf(array, needed));
  const taken = arrays.filter((array) => columns.some((column) => column.array === array));
  const rowBytes = taken.reduce((sum, { header }) => sum + header.rowBytes, 0);
  if (rowBytes > limits.rowBytes)
    throw new Error(`a row has ${rowBytes} bytes, and ${limits.rowBytes} are allowed`);
  const readers = new Map(
    taken.map((array) => {
      const { start, rowBytes: own } = array.header;
      return [array, exactReader(array.from(start + first * own))];
    }),
  );
  const most = rowsOfChunk(rowBytes * rows, rows);
  const last = Math.min(rows, to);
  try {
    for (let start = first; start < last; start += most) {
      const count = Math.min(most, last - start);
      const views = new Map<StoredArray, DataView>();
      for (const [array, { read }] of readers)
        views.set(array, await read(count * array.header.rowBytes));
      // (Before its last rows are handed on: nobody may ask for more.)
      if (start + count === rows) for (const { end } of readers.values()) await end();
      yield chunkOf(
        start,
        count,
        columns.map((column) => [column.name, valuesIn(column, views, count), 0]),
      );
    }
  } finally {
    for (const { close } of readers.values()) await close();
  }
}

/** The values of a column in the first rows of what was read. */
function valuesIn(
  { array, valueAt }: Column,
  views: ReadonlyMap<StoredArray, DataView>,
  length: number,
): readonly unknown[] {
  const view = views.get(array);
  return Array.from({ length }, (_, row) => view && valueAt(view, row * array.header.rowBytes));
}

/** A column, and its value in a row whose bytes begin at a place. */
type Column = {
  readonly array: StoredArray;
  readonly name: string;
  readonly valueAt: (view: DataView, at: number) => unknown;
};

function columnsOf(array: StoredArray, needed: ReadonlySet<string> | undefined): readonly Column[] {
  const { fields, values, width } = array.header;
  const isNeeded = (name: string) => needed?.has(name) ?? true;
  const listOf = (view: DataView, at: number) =>
    Array.from({ length: width ?? 0 }, (_, i) => values.read(view, at + i * values.bytes));
  if (fields !== undefined)
    return fields
      .filter(({ name }) => isNeeded(name))
      .map((field) => ({
        array,
        name: field.name,
        valueAt: (view, at) => field.values.read(view, at + field.at),
      }));
  const { name } = array;
  if (name !== undefined)
    return isNeeded(name)
      ? [{ array, name, valueAt: width === undefined ? values.read : listOf }]
      : [];
  return Array.from({ length: width ?? 1 }, (_, i) => i)
    .filter((i) => isNeeded(String(i)))
    .map((i) => ({
      array,
      name: String(i),
      valueAt: (view, at) => values.read(view, at + i * values.bytes),
    }));
}

/** Where rows may be cut; nowhere, where an array can only be read from its beginning. */
function cutsOf(arrays: readonly StoredArray[], stretchBytes: number): readonly number[] {
  if (!arrays.every(({ isPlain }) => isPlain)) return [];
  const rows = arrays[0]?.header.rows ?? 0;
  const rowBytes = arrays.reduce((sum, { header }) => sum + header.rowBytes, 0);
  const stretch = Math.max(1, Math.floor(stretchBytes / Math.max(1, rowBytes)));
  return Array.from(
    { length: Math.max(0, Math.ceil(rows / stretch) - 1) },
    (_, i) => (i + 1) * stretch,
  );
}

/** Says that an array has fewer bytes than its header says. */
export function truncated(name: string | undefined): Error {
  return new Error(`the file is damaged: ${name ?? 'its array'} ends too early`);
}

/** Reads so many bytes of some pieces after another. */
export function exactReader(pieces: AsyncIterable<Uint8Array>) {
  const iterator = pieces[Symbol.asyncIterator]();
  let left: Uint8Array = new Uint8Array(0);
  const read = async (bytes: number): Promise<DataView> => {
    const whole = new Uint8Array(bytes);
    let filled = 0;
    while (filled < bytes) {
      if (left.length === 0) {
        const next = await iterator.next();
        if (next.done === true) throw truncated(undefined);
        left = next.value;
        continue;
      }
      const part = left.subarray(0, bytes - filled);
      whole.set(part, filled);
      filled += part.length;
      left = left.subarray(part.length);
    }
    return new DataView(whole.buffer);
  };
  /** Reads what is left, and nothing of it is wanted: the checksum of what is packed comes last. */
  const end = async () => {
    while ((await iterator.next()).done !== true);
  };
  return { read, end, close: async () => void (await iterator.return?.()) };
}

/** The bytes of a view. */
export function bytesIn(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Pieces behind the first bytes; they are opened with the first that is asked for. */
export async function* behind(open: () => AsyncIterable<Uint8Array>, start: number) {
  let left = start;
  for await (const piece of open()) {
    const skipped = Math.min(left, piece.length);
    left -= skipped;
    if (skipped < piece.length) yield piece.subarray(skipped);
  }
}
