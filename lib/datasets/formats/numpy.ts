import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { reasonOf } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { type ByteSource, piecesOf } from '../byte-source.ts';
import {
  arrayReader,
  behind,
  bytesIn,
  exactReader,
  type StoredArray,
  truncated,
} from './array-rows.ts';
import { type ArrayHeader, headerBytes, headerOf } from './numpy-array.ts';

/**
 * NumPy's `.npy`: one array, whose rows are those of the file. A structured array has a column for
 * each field; the columns of a plain one are named by their numbers, from 0.
 */
export const npy = arrayReader(async (bytes) => {
  const array = await arrayOf(undefined, bytes);
  const { start, rows, rowBytes } = array.header;
  const surplus = bytes.sizeBytes - start - rows * rowBytes;
  if (surplus > 0)
    throw new Error(
      `there are ${surplus} bytes behind its array of ${rows} rows, and one array of a file is ` +
        'read; save each in a file of its own, or all of them by numpy.savez()',
    );
  return [array];
});

/** NumPy's `.npz`: a column for each array, all of which have as many rows. */
export const npz = arrayReader(arraysIn);

/** An array whose bytes can be read from anywhere. */
async function arrayOf(name: string | undefined, bytes: ByteSource): Promise<StoredArray> {
  const from = (start: number) => piecesOf(bytes, start);
  const header = await readHeader(from);
  const end = header.start + header.rows * header.rowBytes;
  if (end > bytes.sizeBytes) throw truncated(name);
  return { name, header, from, isPlain: true };
}

async function readHeader(from: StoredArray['from']): Promise<ArrayHeader> {
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
async function arraysIn(bytes: ByteSource): Promise<readonly StoredArray[]> {
  const zip = await fromRandomAccessReaderPromise(new SourceReader(bytes), bytes.sizeBytes, {
    lazyEntries: true,
    autoClose: false,
  }).catch((cause: unknown) => {
    throw new Error(`it is no ZIP, or is cut short (${reasonOf(cause)})`, { cause });
  });
  const arrays: StoredArray[] = [];
  for await (const entry of zip.eachEntry())
    if (entry.fileName.endsWith('.npy'))
      arrays.push(await named(entry, arrayIn(zip, bytes, entry)));
  const names = arrays.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`two arrays are named ${JSON.stringify(twice)}`);
  return arrays;
}

/** @throws Error that names the array of an archive which cannot be read */
async function named(entry: Entry, array: Promise<StoredArray>): Promise<StoredArray> {
  return array.catch((cause: unknown) => {
    throw new Error(`${entry.fileName}: ${reasonOf(cause)}`, { cause });
  });
}

const [stored, deflated] = [0, 8];

async function arrayIn(zip: ZipFile, bytes: ByteSource, entry: Entry): Promise<StoredArray> {
  const name = entry.fileName.slice(0, -'.npy'.length);
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const end = fileDataStart + entry.compressedSize;
  if (entry.isEncrypted() || ![stored, deflated].includes(entry.compressionMethod))
    throw new Error(`${name} is packed in another way than numpy.savez_compressed() packs`);
  if (end > bytes.sizeBytes) throw truncated(name);
  if (entry.compressionMethod === stored) {
    const read = (start: number, to: number) =>
      bytes.read(fileDataStart + start, fileDataStart + to);
    const own = { sizeBytes: entry.compressedSize, read };
    const array = await arrayOf(name, own);
    const whole = () => checked(piecesOf(own, 0), name, entry.crc32);
    const from = (start: number) =>
      start === array.header.start ? behind(whole, start) : array.from(start);
    return { ...array, from };
  }
  const packed = () => piecesOf({ ...bytes, sizeBytes: end }, fileDataStart);
  const from = (start: number) =>
    behind(() => checked(unpacked(packed()), name, entry.crc32), start);
  return { name, header: await readHeader(from), from, isPlain: false };
}

/** Pieces whose checksum is as it was said. @throws Error at their end, if it is another */
async function* checked(pieces: AsyncIterable<Uint8Array>, name: string, expected: number) {
  let found = 0;
  for await (const piece of pieces) {
    found = crc32(piece, found);
    yield piece;
  }
  if (found !== expected) throw new Error(`${name} is damaged: it has another checksum`);
}

/** What was deflated; whoever breaks off ends the reading, too. */
function unpacked(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const inflate = createInflateRaw();
  // What fails is thrown where it is read.
  pipeline(Readable.from(pieces), inflate, () => undefined);
  return inflate;
}
