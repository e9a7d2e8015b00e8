import { pipeline, Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { limits } from '../../limits.ts';
import { type ByteSource, piecesOf } from '../byte-source.ts';
import { type BinaryReader, chunkOf, rowsOfChunk } from './format.ts';
import { type ArrayHeader, headerBytes, headerOf } from './numpy-array.ts';

/** An array of a file: a column for each field or, of a plain one, for itself. */
type NumpyArray = {
  /** Of an archive its name there; of a file alone none. */
  readonly name: string | undefined;
  readonly header: ArrayHeader;
  /** Its bytes from one on, in order. */
  readonly from: (start: number) => AsyncIterable<Uint8Array>;
  /** Whether it can be read from anywhere at once. */
  readonly isPlain: boolean;
};

/**
 * NumPy's `.npy`: one array, whose rows are those of the file. A structured array has a column for
 * each field; the columns of a plain one are named by their numbers, from 0.
 */
export const npy: BinaryReader = {
  async *read(bytes, needed, stretch) {
    yield* rowsOf([await arrayOf(undefined, bytes)], needed, stretch);
  },
  async cuts(bytes, stretchBytes) {
    return cutsOf([await arrayOf(undefined, bytes)], stretchBytes);
  },
};

/** NumPy's `.npz`: a column for each array, all of which have as many rows. */
export const npz: BinaryReader = {
  async *read(bytes, needed, stretch) {
    yield* rowsOf(await arraysIn(bytes), needed, stretch);
  },
  async cuts(bytes, stretchBytes) {
    return cutsOf(await arraysIn(bytes), stretchBytes);
  },
};

type Stretch = Parameters<BinaryReader['read']>[2];

async function* rowsOf(
  arrays: readonly NumpyArray[],
  needed: ReadonlySet<string> | undefined,
  { from, to = Number.POSITIVE_INFINITY }: Stretch,
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
      const views = new Map<NumpyArray, DataView>();
      for (const [array, { read }] of readers)
        views.set(array, await read(count * array.header.rowBytes));
      yield chunkOf(0, [start, start + count], (place) => rowIn(columns, views, place - start));
    }
  } finally {
    for (const { close } of readers.values()) await close();
  }
}

function rowIn(
  columns: readonly Column[],
  views: ReadonlyMap<NumpyArray, DataView>,
  row: number,
): Readonly<Record<string, unknown>> {
  const cells = columns.map(({ array, name, valueAt }): [string, unknown] => {
    const view = views.get(array);
    return [name, view && valueAt(view, row * array.header.rowBytes)];
  });
  return Object.fromEntries(cells);
}

/** A column, and its value in a row whose bytes begin at a place. */
type Column = {
  readonly array: NumpyArray;
  readonly name: string;
  readonly valueAt: (view: DataView, at: number) => unknown;
};

function columnsOf(array: NumpyArray, needed: ReadonlySet<string> | undefined): readonly Column[] {
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

function cutsOf(arrays: readonly NumpyArray[], stretchBytes: number): readonly number[] {
  if (!arrays.every(({ isPlain }) => isPlain)) return [];
  const rows = arrays[0]?.header.rows ?? 0;
  const rowBytes = arrays.reduce((sum, { header }) => sum + header.rowBytes, 0);
  const stretch = Math.max(1, Math.floor(stretchBytes / Math.max(1, rowBytes)));
  return Array.from(
    { length: Math.max(0, Math.ceil(rows / stretch) - 1) },
    (_, i) => (i + 1) * stretch,
  );
}

/** An array whose bytes can be read from anywhere. */
async function arrayOf(name: string | undefined, bytes: ByteSource): Promise<NumpyArray> {
  const from = (start: number) => piecesOf(bytes, start);
  const header = await readHeader(from);
  const end = header.start + header.rows * header.rowBytes;
  if (end > bytes.sizeBytes) throw truncated(name);
  return { name, header, from, isPlain: true };
}

async function readHeader(from: NumpyArray['from']): Promise<ArrayHeader> {
  const { read, close } = exactReader(from(0));
  try {
    const first = bytesIn(await read(12));
    const length = headerBytes(first);
    if (length === undefined || length < 12 || length > limits.rowBytes)
      throw new Error('it is no array of NumPy');
    const rest = bytesIn(await read(length - 12));
    return headerOf(Buffer.concat([first, rest]));
  } finally {
    await close();
  }
}

function bytesIn(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function truncated(name: string | undefined): Error {
  return new Error(`the file is damaged: ${name ?? 'its array'} ends too early`);
}

/** Reads so many bytes of some pieces after another. */
function exactReader(pieces: AsyncIterable<Uint8Array>) {
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
  return { read, close: async () => void (await iterator.return?.()) };
}

/** Lets a ZIP reader read what it asks for. */
class SourceReader extends RandomAccessReader {
  readonly #bytes: ByteSource;

  constructor(bytes: ByteSource) {
    super();
    this.#bytes = bytes;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(piecesOf({ ...this.#bytes, sizeBytes: end }, start));
  }
}

/** The arrays of an archive, in the order of its directory. */
async function arraysIn(bytes: ByteSource): Promise<readonly NumpyArray[]> {
  const zip = await fromRandomAccessReaderPromise(new SourceReader(bytes), bytes.sizeBytes, {
    lazyEntries: true,
    autoClose: false,
  });
  const arrays: NumpyArray[] = [];
  for await (const entry of zip.eachEntry())
    if (entry.fileName.endsWith('.npy')) arrays.push(await arrayIn(zip, bytes, entry));
  const names = arrays.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`two arrays are named ${JSON.stringify(twice)}`);
  return arrays;
}

const [stored, deflated] = [0, 8];

async function arrayIn(zip: ZipFile, bytes: ByteSource, entry: Entry): Promise<NumpyArray> {
  const name = entry.fileName.slice(0, -'.npy'.length);
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const end = fileDataStart + entry.compressedSize;
  if (entry.isEncrypted() || ![stored, deflated].includes(entry.compressionMethod))
    throw new Error(`${name} is packed in another way than numpy.savez_compressed() packs`);
  if (end > bytes.sizeBytes) throw truncated(name);
  if (entry.compressionMethod === stored) {
    const read = (start: number, to: number) =>
      bytes.read(fileDataStart + start, fileDataStart + to);
    return arrayOf(name, { sizeBytes: entry.compressedSize, read });
  }
  const packed = () => piecesOf({ ...bytes, sizeBytes: end }, fileDataStart);
  const from = (start: number) => behind(unpacked(packed()), start);
  return { name, header: await readHeader(from), from, isPlain: false };
}

/** What was deflated; whoever breaks off ends the reading, too. */
function unpacked(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const inflate = createInflateRaw();
  // What fails is thrown where it is read.
  pipeline(Readable.from(pieces), inflate, () => undefined);
  return inflate;
}

/** Pieces behind the first bytes. */
async function* behind(pieces: AsyncIterable<Uint8Array>, start: number) {
  let left = start;
  for await (const piece of pieces) {
    const skipped = Math.min(left, piece.length);
    left -= skipped;
    if (skipped < piece.length) yield piece.subarray(skipped);
  }
}
