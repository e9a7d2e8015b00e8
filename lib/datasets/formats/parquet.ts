import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { chunkRows, type Format, type Row } from './format.ts';

/** Parquet; its columns are compressed inside the file. */
export const parquet: Format = {
  endings: ['.parquet'],
  isText: false,
  async *read(bytes) {
    const file = Uint8Array.from(bytes).buffer;
    const metadata = parquetMetadata(file);
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      // A whole row group at a time: reading a part of it would decode all of it.
      const rowEnd = rowStart + Number(group.num_rows);
      const range = { file, metadata, rowStart, rowEnd, compressors };
      const rows: Row[] = await parquetReadObjects(range);
      for (let start = 0; start < rows.length; start += chunkRows) {
        const part = rows.slice(start, start + chunkRows);
        yield { rows: part, lines: part.map((_, i) => rowStart + start + i + 1), bad: [] };
      }
      rowStart = rowEnd;
    }
  },
};

/** The codecs of Node's zlib; hyparquet itself knows Snappy. */
const compressors = {
  GZIP: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(gunzipSync(input, { maxOutputLength: sizeBytes })),
  ZSTD: (input: Uint8Array, sizeBytes: number) =>
    Uint8Array.from(zstdDecompressSync(input, { maxOutputLength: sizeBytes })),
};
