import { parse } from 'csv-parse';
import { limits } from '../../limits.ts';
import { type BadRow, type Format, fromFirst, noRows, RowCollector } from './format.ts';
import { type ParsedRecord, plainRecords } from './plain-lines.ts';
import { carriageReturn, lineEnd, newline, TextReader } from './text-reader.ts';

const delimiters = [',', ';', '\t', '|'];

/**
 * Delimited text with a header (RFC 4180); every value is a text. The delimiter is the one that the
 * header has most of. Behind semicolons a comma is the decimal one, as spreadsheets write it.
 */
export const csv: Format = {
  endings: ['.csv', '.tsv'],
  isText: true,
  async *read(open, { from, to }) {
    const collector = new RowCollector();
    let text = new TextReader(open(0));
    const delimiter = await delimiterBefore(text);
    let header: readonly string[] | undefined;
    if (from !== undefined) {
      header = await firstHeader(text, delimiter);
      // The header is not behind all cuts.
      if (from.at < text.at) header = undefined;
      const pieces = fromFirst(open(from.at));
      let passed = await pieces.next();
      for (; !passed.done; passed = await pieces.next()) yield noRows;
      text = new TextReader(passed.value, from);
    }
    const add = (record: CsvRecord) => {
      if ('reason' in record) collector.addBad(record.line, record.reason, record.text);
      else if (header === undefined) header = headerOf(record.cells);
      else {
        const { cells, line, sizeBytes } = record;
        if (!isWide(cells, header.length)) {
          const reason = `it has ${cells.length} values, the header has ${header.length} columns`;
          collector.addBad(line, reason, cells.join(delimiter));
        } else collector.add(rowOf(header, cells, delimiter === ';'), line, sizeBytes);
      }
      return collector.isFull;
    };
    for await (const _ of passRecords(text, { delimiter, columns: header?.length, to }, add))
      yield collector.isFull ? collector.take(header && text.place) : noRows;
    yield collector.take(text.place);
  },
  async rowFrom(open, at) {
    const head = new TextReader(open(0));
    const delimiter = await delimiterBefore(head);
    const columns = (await firstHeader(head, delimiter))?.length ?? 0;
    const bytes = await new TextReader(open(at), { at, line: 1 }).sliceFrom(at);
    for (let start = 0; start < bytes.length; ) {
      const records = plainRecords(bytes.subarray(start, start + guessBytes), delimiter);
      const first = records.slice(0, guessRows);
      if (first.length > 0 && first.every(({ cells }) => isWide(cells, columns))) return at + start;
      const end = lineEnd(bytes, start);
      if (end < 0) break;
      start = end + (bytes[end] === carriageReturn && bytes[end + 1] === newline ? 2 : 1);
    }
    return at;
  },
};

/** So many rows, one behind the other, are taken for rows, within so many bytes. */
const guessRows = 8;
const guessBytes = 16_384;

/** Whether a record has a cell for each column, and none behind them that says something. */
function isWide(cells: readonly string[], columns: number): boolean {
  return cells.length >= columns && cells.slice(columns).every((cell) => cell === '');
}

/** The header of a text; undefined if it has none, and so no rows. */
async function firstHeader(
  text: TextReader,
  delimiter: string,
): Promise<readonly string[] | undefined> {
  let header: readonly string[] | undefined;
  const add = (record: CsvRecord) => {
    if ('cells' in record) header ??= headerOf(record.cells);
    return header !== undefined;
  };
  for await (const _ of passRecords(text, { delimiter }, add)) if (header !== undefined) break;
  return header;
}

/** A record with the line on which it begins, or a line that cannot be read. */
type CsvRecord =
  | { readonly cells: readonly string[]; readonly line: number; readonly sizeBytes: number }
  | BadRow;

/** How records are read, and the byte of the text from which on none is. */
type Records = {
  readonly delimiter: string;
  readonly columns?: number | undefined;
  readonly to?: number | undefined;
};

/**
 * Passes on the records of a text. It pauses whenever `add` says so, and within very long ones.
 *
 * The parser cannot go on behind a quote that stands where none may, and reads on over the rows
 * behind one that has no end; so the line where such a record began is passed on as bad, and a new
 * parser reads from the next. Where no quote is near, no parser is needed.
 */
async function* passRecords(
  text: TextReader,
  { delimiter, columns, to = Number.POSITIVE_INFINITY }: Records,
  add: (record: CsvRecord) => boolean,
): AsyncGenerator<void> {
  const isTabWhite = delimiter !== '\t';
  let width = columns;
  for (;;) {
    const start = text.at;
    let slice = await text.sliceFrom(start);
    let records = plainRecords(slice, delimiter);
    let error: Error | undefined;
    const parsing = records.length === 0 ? startParsing(delimiter) : undefined;
    for (let next = start; error === undefined; ) {
      if (parsing !== undefined) {
        slice = await text.sliceFrom(next);
        next += slice.length;
        await parsing.write(slice);
        records = parsing.take();
      }
      if (records.length === 0 && slice.length > 0 && next - start > slice.length) yield;
      for (const { cells, bytes } of records) {
        text.skipBlank(isTabWhite, to);
        if (text.at >= to) return;
        width ??= cells.length;
        if (holdsRows(cells, width, delimiter)) {
          error = new Error('a quote has no end: its cell holds rows');
          break;
        }
        const { line } = text;
        const sizeBytes = start + bytes - text.at;
        text.moveTo(start + bytes);
        if (add({ cells, line, sizeBytes })) yield;
      }
      error ??= parsing?.error();
      if (slice.length === 0 && error === undefined) return;
      // Behind them, lines may be plain again.
      if (records.length > 0) break;
    }
    if (error === undefined) continue;
    text.skipBlank(isTabWhite, to);
    if (text.at >= to) return;
    // The parser says on which line, counted from where it began.
    const reason = error.message.replace(/ at line \d+$/, '');
    const { line } = text;
    if (add({ line, reason, text: await text.skipLine() })) yield;
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
  let records: ParsedRecord[] = [];
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

/** How cells are told apart in a text, which is moved to its header. */
async function delimiterBefore(text: TextReader): Promise<string> {
  const first = await text.peekLine();
  // What spreadsheets write before the header, to say so.
  const told = /^"?sep=([,;|\t:^~])"?\r?$/i.exec(first)?.[1];
  if (told !== undefined) await text.skipLine();
  return told ?? delimiterOf(first);
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
  const row: Record<string, string> = {};
  for (const [place, name] of header.entries()) {
    const own = value(cells[place] ?? '');
    if (name !== '__proto__') row[name] = own;
    else Object.defineProperty(row, name, { value: own, enumerable: true });
  }
  return row;
}
