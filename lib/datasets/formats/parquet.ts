import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet';
import { decompressLz4, decompressLz4Raw } from 'hyparquet-compressors';
import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';
import { type BinaryReader, chunkOf, cutsBetween, rowsOfChunk } from './format.ts';

/** Parquet; its columns are compressed inside the file. */
export const parquet: BinaryReader = {
  async *read(bytes, needed, { from, to = Number.POSITIVE_INFINITY }) {
    const file = asyncBuffer(bytes);
    const metadata = await parquetMetadataAsync(file);
    const names = parquetSchema(metadata).children.map(({ element: { name } }) => name);
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (twice !== undefined)
      throw new Error(`two columns are named ${JSON.stringify(twice)}; rename one`);
    const columns = names.filter((name) => needed?.has(name) ?? true);
    const first = from?.at ?? 0;
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      if (rowStart >= to) break;
      if (rowEnd <= first) {
        rowStart = rowEnd;
        continue;
      }
      const sizeBytes = bytesOfGroup(group, columns);
      assertFits(sizeBytes, rowStart, rowEnd);
      // A whole row group at a time: reading a part of it would decode all of it.
      const range = { file, metadata, columns, rowStart, rowEnd, compressors };
      const scan = await parquetScan({ ...range, useOffsetIndex: false });
      const values: [name: string, values: ArrayLike<unknown>][] = [];
      for (const column of columns) {
        values.push([column, await scan.readColumn({ column, rowStart, rowEnd })]);
      }
      const count = rowsOfChunk(sizeBytes, rowEnd - rowStart);
      for (let start = Math.max(0, first - rowStart); start < rowEnd - rowStart; start += count) {
        const end = Math.min(start + count, rowEnd - rowStart);
        yield chunkOf(rowStart, [start, end], (place) =>
          Object.fromEntries(values.map(([name, column]) => [name, column[place]])),
        );
      }
      rowStart = rowEnd;
    }
  },
  async cuts(bytes, stretchBytes) {
    const { row_groups: groups } = await parquetMetadataAsync(asyncBuffer(bytes));
    const sizes = groups.map(({ num_rows: count, columns }) => ({
      rows: Number(count),
      bytes: columns.reduce((sum, each) => sum + packedBytes(each.meta_data), 0),
    }));
    return cutsBetween(sizes, stretchBytes);
  },
};

function packedBytes(column: ColumnMetadata | undefined): number {
  return Number(column?.total_compressed_size ?? 0);
}

function asyncBuffer(bytes: ByteSource): AsyncBuffer {
  return {
    byteLength: bytes.sizeBytes,
    async slice(start: number, end = bytes.sizeBytes) {
      if (!(start >= 0 && start <= end && end <= bytes.sizeBytes))
        throw new Error('the file is damaged: it points behind its own end');
      return Uint8Array.from(await bytes.read(start, end)).buffer;
    },
  };
}

/** What the columns of a row group take in memory: their bytes, and an object for each value. */
function bytesOfGroup(
  { columns }: FileMetaData['row_groups'][number],
  taken: readonly string[],
): number {
  const own = columns.flatMap(({ meta_data: each }) =>
    each !== undefined && taken.includes(each.path_in_schema[0] ?? '') ? [each] : [],
  );
  return own.reduce((sum, each) => sum + bytesOfColumn(each), 0);
}

type ColumnMetadata = NonNullable<
  FileMetaData['row_groups'][number]['columns'][number]['meta_data']
>;

/** Measured: texts, dates and integers of 64 bits are objects, but for those of a dictionary. */
function bytesOfColumn(column: ColumnMetadata): number {
  const { type, encodings, num_values: values, total_uncompressed_size: sizeBytes } = column;
  const isShared = encodings.some((encoding) => encoding.endsWith('DICTIONARY'));
  const isObject = ['BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY', 'INT64', 'INT96'].includes(type);
  const bytesOfValue = isObject && !isShared ? objectBytes : wordBytes;
  const bytes = Number(sizeBytes) + Number(values) * bytesOfValue;
  if (Number.isFinite(bytes) && bytes >= 0) return bytes;
  throw new Error('the file is damaged: a column says neither how large nor how long it is');
}

const wordBytes = 16;
const objectBytes = 144;

function assertFits(sizeBytes: number, rowStart: number, rowEnd: number): void {
  if (sizeBytes <= limits.rowGroupBytes) return;
  const rows = Math.floor(((rowEnd - rowStart) * limits.rowGroupBytes) / sizeBytes);
  throw new Error(
    `its row group from row ${rowStart + 1} to ${rowEnd} takes ${sizeBytes} bytes in memory, and ` +
      `${limits.rowGroupBytes} are allowed; write it with at most ${rows} rows a group`,
  );
}

/** The codecs of Node's zlib, and LZ4; hyparquet itself knows Snappy. */
const compressors = {
  GZIP: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(gunzipSync(input, { maxOutputLength: sizeBytes })),
  ZSTD: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(zstdDecompressSync(input, { maxOutputLength: sizeBytes })),
  BROTLI: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(brotliDecompressSync(input, { maxOutputLength: sizeBytes })),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
};
