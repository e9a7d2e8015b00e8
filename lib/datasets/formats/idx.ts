import { type ByteSource, piecesOf } from '../byte-source.ts';
import { magicBytes, unpackerFor } from '../unpack.ts';
import {
  arrayReader,
  behind,
  bytesIn,
  exactReader,
  type StoredArray,
  truncated,
} from './array-rows.ts';
import type { Values } from './numpy-array.ts';

/**
 * IDX, in which the digits of MNIST and what was made after them come: images in one file, and
 * their labels in another, whose names differ by that. Rows have the columns `image`, its values
 * one after another, and `label`. Either file may be gzip. Source: LeCun, Cortes and Burges, The
 * MNIST Database of Handwritten Digits.
 */
export const idx = arrayReader(arraysOf);

async function arraysOf(bytes: ByteSource): Promise<readonly StoredArray[]> {
  const { beside } = bytes;
  if (beside === undefined) {
    const alone = await arrayOf('image', bytes);
    if (alone.header.width !== undefined) return [alone];
    throw new Error(
      'it has labels alone; the file of their images, which is not empty, belongs beside it',
    );
  }
  const [images, labels] = [await arrayOf('image', bytes), await arrayOf('label', beside)];
  if (images.header.rows !== labels.header.rows)
    throw new Error(`it has ${images.header.rows} images for ${labels.header.rows} labels`);
  return [images, labels];
}

const headBytes = 4;
const sizeBytes = 4;

async function arrayOf(name: string, bytes: ByteSource): Promise<StoredArray> {
  const first = await bytes.read(0, Math.min(magicBytes, bytes.sizeBytes));
  const unpack = unpackerFor(first);
  const from = (start: number) =>
    unpack === undefined ? piecesOf(bytes, start) : behind(() => unpack(bytes), start);
  const { read, close } = exactReader(from(0));
  try {
    const [zero, zeroToo, type = 0, dimensions = 0] = bytesIn(await read(headBytes));
    const values = typesOfValues[type];
    if (zero !== 0 || zeroToo !== 0 || values === undefined || dimensions === 0)
      throw new Error('it is no IDX file');
    const sizes = await read(dimensions * sizeBytes);
    const shape = Array.from({ length: dimensions }, (_, i) => sizes.getUint32(i * sizeBytes));
    const [rows = 0, ...others] = shape;
    const count = others.reduce((product, each) => product * each, 1);
    const rowBytes = values.bytes * count;
    const start = headBytes + dimensions * sizeBytes;
    if (![count, rowBytes, rows * rowBytes].every(Number.isSafeInteger) || count === 0)
      throw new Error('its header is damaged');
    if (unpack === undefined && start + rows * rowBytes > bytes.sizeBytes) throw truncated(name);
    const width = others.length === 0 ? undefined : count;
    const header = { start, rows, rowBytes, fields: undefined, values, width };
    return { name, header, from, isPlain: unpack === undefined };
  } finally {
    await close();
  }
}

/** How values are written, by the third byte of a file; big-endian all. */
const typesOfValues: Readonly<Record<number, Values>> = {
  8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  9: { bytes: 1, read: (view, at) => view.getInt8(at) },
  11: { bytes: 2, read: (view, at) => view.getInt16(at) },
  12: { bytes: 4, read: (view, at) => view.getInt32(at) },
  13: { bytes: 4, read: (view, at) => view.getFloat32(at) },
  14: { bytes: 8, read: (view, at) => view.getFloat64(at) },
};
