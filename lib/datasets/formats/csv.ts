import { parse } from 'csv-parse';
import { limits } from '../../limits.ts';
import { type BadRow, type Format, noRows, RowCollector } from './format.ts';
import { TextReader } from './text-reader.ts';

const delimiters = [',', ';', '\t', '|'];

/**
 * Delimited text with a header (RFC 4180); every value is a text. The delimiter is the one that the
 * header has most of. Behind semicolons a comma is the decimal one, as spreadsheets write it.
 */
export const csv: Format = {
  endings: ['.csv', '.tsv'],
  isText: true,
  async *read(open, from) {
    const collector = new RowCollector();
    let text = new TextReader(open(0));
    const first = await text.peekLine();
    // What spreadsheets write before the header, to say how cells are told apart.
    const told = /^"?sep=([,;|\t:^~])"?\r?$/i.exec(first)?.[1];
    if (told !== undefined) await text.skipLine();
    const delimiter = told ?? delimiterOf(first);
    let header: readonly string[] | undefined;
    if (from !== undefined) {
      header = await firstHeader(text, delimiter);
      text = new TextReader(open(from.at), from);
    }
    for await (const record of recordsOf(text, delimiter, header?.length)) {
      if (record === undefined) yield noRows;
      else if ('reason' in record) collector.addBad(record.line, record.reason, record.text);
      else if (header === undefined) header = headerOf(record.cells);
      else {
        const { cells, line, sizeBytes } = record;
        const surplus = cells.slice(header.length);
        if (cells.length < header.length || surplus.some((cell) => cell !== '')) {
          const reason = `it has ${cells.length} values, the header has ${header.length} columns`;
          collector.addBad(line, reason, cells.join(delimiter));
        } else collector.add(rowOf(header, cells, delimiter === ';'), line, sizeBytes);
      }
      if (collector.isFull) yield collector.take(text.place);
    }
    yield collector.take(text.place);
  },
};

/** The header of a text, of which rows were read before. */
async function firstHeader(text: TextReader, delimiter: string) {
  for await (const record of recordsOf(text, delimiter))
    if (record !== undefined && 'cells' in record) return headerOf(record.cells);
  throw new Error('it has no header any more');
}

/** A record with the line on which it begins, or a line that cannot be read. */
type CsvRecord =
  | { readonly cells: readonly string[]; readonly line: number; readonly sizeBytes: number }
  | BadRow;

/**
 * The records of a text. The parser cannot go on behind a quote that stands where none may, and
 * reads on over the rows behind one that has no end; so the line where such a record began is
 * passed on as bad, and a new parser reads from the next. Undefined says that there is none yet.
 */
async function* recordsOf(
  text: TextReader,
  delimiter: string,
  columns?: number,
): AsyncGenerator<CsvRecord | undefined> {
  const isTabWhite = delimiter !== '\t';
  let width = columns;
  for (;;) {
    const start = text.at;
    const parsing = startParsing(delimiter);
    let error: Error | undefined;
    for (let next = start; error === undefined; ) {
      const slice = await text.sliceFrom(next);
      next += slice.length;
      await parsing.write(slice);
      const records = parsing.take();
      if (records.length === 0) yield undefined;
      for (const { cells, bytes } of records) {
        text.skipBlank(isTabWhite);
        width ??= cells.length;
        if (holdsRows(cells, width, delimiter)) {
          error = new Error('a quote has no end: its cell holds rows');
          break;
        }
        const { line } = text;
        const sizeBytes = start + bytes - text.at;
        text.moveTo(start + bytes);
        yield { cells, line, sizeBytes };
      }
      error ??= parsing.error();
      if (slice.length === 0 && error === undefined) return;
    }
    text.skipBlank(isTabWhite);
    // The parser says on which line, counted from where it began.
    const reason = error.message.replace(/ at line \d+$/, '');
    yield { line: text.line, reason, text: await text.skipLine() };
  }
}

/** Rows within one cell that a text of people would hardly have. */
const fewestRows = 3;

/** Whether a cell goes over lines that all are rows: the quote before them has no end. */
function holdsRows(cells: readonly string[], width: number, delimiter: string): boolean {
  return cells.some((cell) => {
    if (width < 2 || !cell.includes('\n')) return false;
    const inside = cell.split('\n').slice(1, -1);
    const areRows = inside.every((line) => line.split(delimiter).length === width);
    return inside.length >= fewestRows && areRows;
  });
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

function delimiterOf(line: string): string {
  const bare = line.replace(/"[^"]*"/g, '');
  const counts = delimiters.map((delimiter) => bare.split(delimiter).length);
  return delimiters[counts.indexOf(Math.max(...counts))] ?? ',';
}

function headerOf(cells: readonly string[]): readonly string[] {
  const named = new Set<string>();
  let twice: string | undefined;
  for (const name of cells.filter((each) => each !== '')) {
    if (named.has(name)) twice ??= name;
    named.add(name);
  }
  if (twice !== undefined)
    throw new Error(`line 1: two columns are named ${JSON.stringify(twice)}; rename one`);
  return cells;
}

function rowOf(header: readonly string[], cells: readonly string[], hasDecimalComma: boolean) {
  const value = (cell: string) =>
    hasDecimalComma && /^[+-]?\d+,\d+(e[+-]?\d+)?$/i.test(cell) ? cell.replace(',', '.') : cell;
  return Object.fromEntries(header.map((name, place) => [name, value(cells[place] ?? '')]));
}
