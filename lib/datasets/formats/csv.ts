import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { limits } from '../../limits.ts';
import { type Format, RowCollector } from './format.ts';

const delimiters = [',', ';', '\t', '|'];

/**
 * Delimited text with a header (RFC 4180); every value is a text. The delimiter is the one that the
 * header has most of. Behind semicolons a comma is the decimal one, as spreadsheets write it.
 */
export const csv: Format = {
  endings: ['.csv', '.tsv'],
  isText: true,
  async *read(bytes) {
    const collector = new RowCollector();
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const delimiter = delimiterOf(buffer);
    let header: readonly string[] | undefined;
    const parser = parse({
      delimiter,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
      max_record_size: limits.rowBytes,
    });
    // In slices, so that the parser keeps no more rows than are taken from it.
    Readable.from(slicesOf(buffer)).pipe(parser);
    for await (const { record, info } of parser) {
      const cells = record as string[];
      // The parser counts the line on which a record ends.
      const line = info.lines as number;
      if (header === undefined) {
        header = headerOf(cells);
        continue;
      }
      const surplus = cells.slice(header.length);
      if (cells.length < header.length || surplus.some((cell) => cell !== '')) {
        const reason = `it has ${cells.length} values, the header has ${header.length} columns`;
        collector.addBad(line, reason, cells.join(delimiter));
      } else collector.add(rowOf(header, cells, delimiter === ';'), line);
      if (collector.isFull) yield collector.take();
    }
    yield collector.take();
  },
};

const sliceBytes = 65_536;

function* slicesOf(buffer: Buffer): Generator<Buffer> {
  for (let start = 0; start < buffer.length; start += sliceBytes)
    yield buffer.subarray(start, start + sliceBytes);
}

function delimiterOf(buffer: Buffer): string {
  const end = buffer.indexOf(10);
  const first = buffer.toString(
    'utf8',
    0,
    end < 0 ? buffer.length : Math.min(end, limits.rowBytes),
  );
  const bare = first.replace(/"[^"]*"/g, '');
  const counts = delimiters.map((delimiter) => bare.split(delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ',';
}

function headerOf(cells: readonly string[]): readonly string[] {
  const named = cells.filter((name) => name !== '');
  const twice = named.find((name, place) => named.indexOf(name) !== place);
  if (twice !== undefined)
    throw new Error(`line 1: two columns are named ${JSON.stringify(twice)}; rename one`);
  return cells;
}

function rowOf(header: readonly string[], cells: readonly string[], hasDecimalComma: boolean) {
  const value = (cell: string) =>
    hasDecimalComma && /^[+-]?\d+,\d+$/.test(cell) ? cell.replace(',', '.') : cell;
  return Object.fromEntries(header.map((name, place) => [name, value(cells[place] ?? '')]));
}
