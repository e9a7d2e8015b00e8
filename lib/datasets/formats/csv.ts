import { parse } from 'csv-parse';
import { limits } from '../../limits.ts';
import { type BadRow, type Format, RowCollector } from './format.ts';

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
    for await (const record of recordsOf(buffer, delimiter)) {
      if ('reason' in record) collector.addBad(record.line, record.reason, record.text);
      else if (header === undefined) header = headerOf(record.cells);
      else {
        const { cells, line } = record;
        const surplus = cells.slice(header.length);
        if (cells.length < header.length || surplus.some((cell) => cell !== '')) {
          const reason = `it has ${cells.length} values, the header has ${header.length} columns`;
          collector.addBad(line, reason, cells.join(delimiter));
        } else collector.add(rowOf(header, cells, delimiter === ';'), line);
      }
      if (collector.isFull) yield collector.take();
    }
    yield collector.take();
  },
};

/** A record with the line on which it begins, or a line that cannot be read. */
type CsvRecord = { readonly cells: readonly string[]; readonly line: number } | BadRow;

/**
 * The records of a text. The parser cannot go on behind a quote that stands where none may; so the
 * line where its record began is passed on as bad, and a new parser reads from the next.
 */
async function* recordsOf(buffer: Buffer, delimiter: string): AsyncGenerator<CsvRecord> {
  const place = { at: 0, line: 1 };
  while (place.at < buffer.length) {
    const start = place.at;
    const parsing = startParsing(delimiter);
    for (const slice of slicesOf(buffer.subarray(start))) {
      await parsing.write(slice);
      for (const { cells, bytes } of parsing.take()) {
        skipBlank(buffer, place);
        const { line } = place;
        moveTo(buffer, place, start + bytes);
        yield { cells, line };
      }
      if (parsing.error() !== undefined) break;
    }
    const error = parsing.error();
    if (error === undefined) return;
    skipBlank(buffer, place);
    const newline = buffer.indexOf(newlineByte, place.at);
    const end = newline < 0 ? buffer.length : newline;
    const text = buffer.toString('utf8', place.at, Math.min(end, place.at + sliceBytes)).trimEnd();
    // The parser says on which line, counted from where it began.
    const reason = error.message.replace(/ at line \d+$/, '');
    yield { line: place.line, reason, text };
    moveTo(buffer, place, end + 1);
  }
}

/** How far a text is read: the byte, and the line on which that is. */
type Reached = { at: number; line: number };

const newlineByte = 10;

/** Passes over line ends: they belong to the record before, or to empty lines. */
function skipBlank(buffer: Buffer, place: Reached): void {
  while (buffer[place.at] === 13 || buffer[place.at] === newlineByte)
    moveTo(buffer, place, place.at + 1);
}

function moveTo(buffer: Buffer, place: Reached, to: number): void {
  for (; place.at < to; place.at++) if (buffer[place.at] === newlineByte) place.line += 1;
}

/** A parser that gives each record as soon as it has it; also those before an error. */
function startParsing(delimiter: string) {
  let records: { cells: readonly string[]; bytes: number }[] = [];
  let failed: Error | undefined;
  const parser = parse({
    delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    trim: true,
    record_delimiter: ['\r\n', '\n', '\r'],
    max_record_size: limits.rowBytes,
    on_record(cells: readonly string[], { bytes }) {
      records.push({ cells, bytes });
      return null;
    },
  });
  parser.on('error', (error) => {
    failed = error;
  });
  parser.resume();
  return {
    /** @param slice of the text; an empty one is its end */
    write: (slice: Buffer) =>
      new Promise<void>((resolve) => {
        if (slice.length > 0) parser.write(slice, () => resolve());
        else parser.end(() => resolve());
      }),
    take() {
      const taken = records;
      records = [];
      return taken;
    },
    error: () => failed,
  };
}

const sliceBytes = 65_536;

/** In slices, so that no more rows are in memory than are taken; an empty one is the end. */
function* slicesOf(buffer: Buffer): Generator<Buffer> {
  for (let start = 0; start < buffer.length; start += sliceBytes)
    yield buffer.subarray(start, start + sliceBytes);
  yield Buffer.alloc(0);
}

function delimiterOf(buffer: Buffer): string {
  const start = buffer.subarray(0, limits.rowBytes).toString('utf8').trimStart();
  const [first = ''] = start.split(/\r?\n|\r/, 1);
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
