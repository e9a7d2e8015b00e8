import { parse } from 'csv-parse';
import { chunkRows, type Format, type Row } from './format.ts';

/** CSV with a header (RFC 4180); every value is a text. */
export const csv: Format = {
  ending: '.csv',
  mayBeGzip: true,
  async *read(bytes) {
    const settings = { columns: true, skip_empty_lines: true, trim: true, bom: true } as const;
    let rows: Row[] = [];
    for await (const row of parse(Buffer.from(bytes), settings)) {
      rows.push(row as Row);
      if (rows.length === chunkRows) {
        yield rows;
        rows = [];
      }
    }
    if (rows.length > 0) yield rows;
  },
};
