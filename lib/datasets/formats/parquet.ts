import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type DecodedArray,
  type FileMetaData,
  parquetMetadata,
  parquetScan,
  parquetSchema,
} from 'hyparquet';
import { getTreePath, isFlatColumn } from 'hyparquet/src/schema.js';
import { decompressLz4, decompressLz4Raw } from 'hyparquet-compressors';
import * as z from 'zod';
import { reasonOf } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { parse } from '../../parse.ts';
import type { ByteSource } from '../byte-source.ts';
import { rounded } from './decimals.ts';
import {
  type BinaryReader,
  chunkOf,
  cutsBetween,
  type GroupValues,
  lengthOf,
  rowsOfChunk,
} from './format.ts';
import { assertDecodes, asTexts, decimalsOf, flatColumn, isPlainBytes } from './parquet-column.ts';
import { viewOf } from './parquet-runs.ts';
import { assertStruct } from './parquet-thrift.ts';

/** Parquet; its columns are compressed inside the file. */
export const parquet: BinaryReader = {
  async *read(bytes, needed, { from, to = Number.POSITIVE_INFINITY }) {
    const file = asyncBuffer(bytes);
    const { metadata, names, schema } = await footerOf(bytes);
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
      const where = `of rows ${rowStart + 1} to ${rowEnd}`;
      // A whole row group at a time: reading a part of it would decode all of it.
      const range = { file, metadata, columns, rowStart, rowEnd, compressors };
      const scan = await readable(`its row group ${where}`, () =>
        parquetScan({ ...range, useOffsetIndex: false }),
      );
      const values: [name: string, values: GroupValues][] = [];
      for (const column of columns) {
        const own = await readable(`column ${JSON.stringify(column)} ${where}`, async () => {
          const flat = await flatOrChecked(file, schema, group, column);
          const read =
            flat ??
            asDecimals(await scan.readColumn({ column, rowStart, rowEnd }), schema, group, column);
          if (lengthOf(read) !== rowEnd - rowStart)
            throw new Error(`it has ${lengthOf(read)} values for ${rowEnd - rowStart} rows`);
          return isPlainBytes(schema, column) ? asTexts(read) : read;
        });
        values.push([column, own]);
      }
      const count = rowsOfChunk(sizeBytes, rowEnd - rowStart);
      for (let start = Math.max(0, first - rowStart); start < rowEnd - rowStart; start += count) {
        const end = Math.min(start + count, rowEnd - rowStart);
        const own = values.map(([name, column]) => [name, column, start] as const);
        yield chunkOf(rowStart + start, end - start, own);
      }
      rowStart = rowEnd;
    }
  },
  async cuts(bytes, stretchBytes) {
    const { metadata } = await footerOf(bytes);
    const sizes = metadata.row_groups.map(({ num_rows: count, columns }) => ({
      rows: Number(count),
      bytes: columns.reduce((sum, each) => sum + packedBytes(each.meta_data), 0),
    }));
    return cutsBetween(sizes, stretchBytes);
  },
};

type RowGroup = FileMetaData['row_groups'][number];

/** What a row group says of a column, and of those below it. */
function leavesOf({ columns }: RowGroup, name: string): ColumnMetadata[] {
  return columns.flatMap(({ meta_data: own }) => (own?.path_in_schema[0] === name ? [own] : []));
}

/** Lists of decimals as they are written; see {@link rounded}. */
function asDecimals(
  values: DecodedArray,
  schema: ReturnType<typeof parquetSchema>,
  group: RowGroup,
  name: string,
): DecodedArray {
  const [only, ...others] = leavesOf(group, name);
  const element = only && getTreePath(schema, only.path_in_schema).at(-1)?.element;
  const decimals = others.length > 0 || element === undefined ? undefined : decimalsOf(element);
  return decimals === undefined ? values : Array.from(values, (each) => rounded(each, decimals));
}

/** What a file says of itself, at its end. @throws Error if it does not begin and end as Parquet */
async function footerOf(bytes: ByteSource): Promise<{
  readonly metadata: FileMetaData;
  readonly names: readonly string[];
  readonly schema: ReturnType<typeof parquetSchema>;
}> {
  const { sizeBytes } = bytes;
  const behind = sizeBytes - tailBytes;
  const isMagic = (read: Uint8Array) => Buffer.from(read).toString('latin1') === magic;
  if (sizeBytes < magic.length || !isMagic(await bytes.read(0, magic.length)))
    throw new Error(`it is no Parquet: it does not begin with ${magic}`);
  const tail = behind < 0 ? undefined : await bytes.read(behind, sizeBytes);
  if (tail === undefined || !isMagic(tail.subarray(-magic.length)))
    throw new Error(`it is cut short: Parquet ends with ${magic}`);
  return readable('what it says of itself at its end', async () => {
    const length = viewOf(tail).getUint32(0, true);
    if (length > behind - magic.length)
      throw new Error(`${length} bytes in a file of ${sizeBytes}`);
    const footer = await bytes.read(behind - length, sizeBytes);
    assertStruct(viewOf(footer.subarray(0, length)));
    // (Places on a map are no features; what looks for them never ends where it is damaged.)
    const metadata = parquetMetadata(footer, { geoparquet: false });
    const schema = parquetSchema(metadata);
    const names = schema.children.map(({ element: { name } }) => name);
    parse(footerSchema, { names, ...metadata }, 'its end');
    return { metadata, names, schema };
  });
}

const magic = 'PAR1';
/** The length of what it says of itself, and the magic number. */
const tailBytes = 8;

const count = z
  .bigint()
  .min(0n)
  .max(2n ** 53n);

/** What is read of what a file says of itself; hyparquet takes whatever is there. */
const footerSchema = z.object({
  names: z.array(z.string()),
  row_groups: z.array(
    z
      .object({
        num_rows: count,
        columns: z.array(
          z.object({
            meta_data: z.object({
              type: z.string(),
              path_in_schema: z.array(z.string()).min(1),
              encodings: z.array(z.string().optional()),
              num_values: count,
              total_uncompressed_size: count,
              total_compressed_size: count,
              data_page_offset: count,
            }),
          }),
        ),
      })
      .refine(
        (group) => group.columns.every(({ meta_data: own }) => own.num_values >= group.num_rows),
        'has more rows than a column has values',
      ),
  ),
});

/** @throws Error that names a part of the file which cannot be read */
async function readable<Answer>(part: string, read: () => Promise<Answer>): Promise<Answer> {
  try {
    return await read();
  } catch (cause) {
    const why = cause instanceof TypeError ? 'or odd' : `(${reasonOf(cause)})`;
    throw new Error(`${part} cannot be read, as where bytes are missing or damaged ${why}`);
  }
}

/**
 * The values of a column; undefined if columns are below it, for hyparquet to decode.
 *
 * @throws Error if its pages are not what its row group says of them
 */
async function flatOrChecked(
  file: AsyncBuffer,
  schema: ReturnType<typeof parquetSchema>,
  group: RowGroup,
  name: string,
): Promise<GroupValues | undefined> {
  const leaves = leavesOf(group, name);
  for (const own of leaves) {
    const { dictionary_page_offset: dictionary, data_page_offset: data } = own;
    const start = Number(dictionary || data);
    const chunk = await file.slice(start, start + Number(own.total_compressed_size));
    const schemaPath = getTreePath(schema, own.path_in_schema);
    const leaf = { schemaPath, column: own, compressors, rows: Number(group.num_rows) };
    if (isFlatColumn(schemaPath)) return flatColumn(chunk, leaf);
    assertDecodes(chunk, leaf, leaves.length > 1);
  }
  return undefined;
}

function packedBytes(column: ColumnMetadata | undefined): number {
  return Number(column?.total_compressed_size ?? 0);
}

function asyncBuffer(bytes: ByteSource): AsyncBuffer {
  // A column is looked at, and then decoded.
  let last = { start: 0, end: 0, read: new ArrayBuffer() };
  return {
    byteLength: bytes.sizeBytes,
    async slice(start: number, end = bytes.sizeBytes) {
      if (!(start >= 0 && start <= end && end <= bytes.sizeBytes))
        throw new Error('the file is damaged: it points behind its own end');
      if (last.start !== start || last.end !== end)
        last = { start, end, read: Uint8Array.from(await bytes.read(start, end)).buffer };
      return last.read;
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
  const isShared = encodings.some((each) => String(each).endsWith('DICTIONARY'));
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
  GZIP: unlessEmpty((input, maxOutputLength) => gunzipSync(input, { maxOutputLength })),
  ZSTD: unlessEmpty((input, maxOutputLength) => zstdDecompressSync(input, { maxOutputLength })),
  BROTLI: unlessEmpty((input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength })),
  LZ4: unlessEmpty(decompressLz4),
  LZ4_RAW: unlessEmpty(decompressLz4Raw),
};

type Decompress = (input: Uint8Array, sizeBytes: number) => Uint8Array;

/** Of a column without values, what is packed is nothing. */
function unlessEmpty(decompress: Decompress): Decompress {
  return (input, sizeBytes) =>
    sizeBytes === 0 ? new Uint8Array() : Uint8Array.from(decompress(input, sizeBytes));
}
