import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parse as parseCsv } from 'csv-parse';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';

/** Rows that are read at a time. */
const chunkRows = 16_384;

/** A row as its file has it: values by column. */
export type Row = Readonly<Record<string, unknown>>;

type Reader = (bytes: Uint8Array, key: string) => AsyncGenerator<readonly Row[]>;

const readers: Readonly<Record<string, Reader>> = {
  '.jsonl': readJsonLines,
  '.csv': readCsv,
  '.parquet': readParquet,
};

/** The file formats that a dataset may have, plain or (JSON Lines and CSV) gzip. */
export const datasetFormats = ['.jsonl', '.jsonl.gz', '.csv', '.csv.gz', '.parquet'] as const;

/**
 * The rows of one dataset object, in order, in chunks.
 *
 * @throws MillraceError kind `invalid` that names the object if its format is unknown or it cannot be read
 */
export async function* readRows(body: Uint8Array, key: string): AsyncGenerator<readonly Row[]> {
  const reader = readers[/\.[a-z]+$/.exec(key.replace(/\.gz$/, ''))?.[0] ?? ''];
  if (reader === undefined)
    throw invalid(`${key}: its name must end with ${datasetFormats.join(', ')}`);
  try {
    const bytes = key.endsWith('.gz')
      ? gunzipSync(body, { maxOutputLength: limits.datasetObjectBytes })
      : body;
    yield* reader(bytes, key);
  } catch (cause) {
    throw invalid(
      `${key} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    );
  }
}

async function* readJsonLines(bytes: Uint8Array): AsyncGenerator<readonly Row[]> {
  const buffered = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let rows: Row[] = [];
  let line = 0;
  for (let start = 0; start < buffered.length; ) {
    const newline = buffered.indexOf(10, start);
    const end = newline < 0 ? buffered.length : newline;
    const text = buffered.toString('utf8', start, end).trim();
    start = end + 1;
    line += 1;
    if (text === '') continue;
    rows.push(parseLine(text, line));
    if (rows.length === chunkRows) {
      yield rows;
      rows = [];
    }
  }
  if (rows.length > 0) yield rows;
}

function parseLine(text: string, line: number): Row {
  try {
    const row: unknown = JSON.parse(text);
    if (typeof row === 'object' && row !== null) return { ...row };
  } catch (cause) {
    throw new Error(`line ${line} must be JSON`, { cause });
  }
  throw new Error(`line ${line} must be a JSON object`);
}

async function* readCsv(bytes: Uint8Array): AsyncGenerator<readonly Row[]> {
  const parser = parseCsv(Buffer.from(bytes), {
    columns: true,
    skip_empty_lines: true,
    trim: true,
    bom: true,
  });
  let rows: Row[] = [];
  for await (const row of parser) {
    rows.push(row as Row);
    if (rows.length === chunkRows) {
      yield rows;
      rows = [];
    }
  }
  if (rows.length > 0) yield rows;
}

async function* readParquet(bytes: Uint8Array): AsyncGenerator<readonly Row[]> {
  const file = Uint8Array.from(bytes).buffer;
  const metadata = parquetMetadata(file);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    // A whole row group at a time: reading a part of it would decode all of it.
    const rowEnd = rowStart + Number(group.num_rows);
    const rows: Row[] = await parquetReadObjects({
      file,
      metadata,
      rowStart,
      rowEnd,
      compressors: parquetCompressors,
    });
    for (let start = 0; start < rows.length; start += chunkRows)
      yield rows.slice(start, start + chunkRows);
    rowStart = rowEnd;
  }
}

/** The codecs of Node's zlib; hyparquet itself knows Snappy. */
const parquetCompressors = {
  GZIP: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(gunzipSync(input, { maxOutputLength: sizeBytes })),
  ZSTD: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(zstdDecompressSync(input, { maxOutputLength: sizeBytes })),
};
