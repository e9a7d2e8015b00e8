import { parse } from 'csv-parse';
import { limits } from '../../limits.ts';
import type { BadRow } from './format.ts';
import { type ParsedRecord, plainRecords } from './plain-lines.ts';
import { newline, type TextReader } from './text-reader.ts';

/** A record with the line on which it begins, or a line that cannot be read. */
export type CsvRecord =
  | { readonly cells: readonly string[]; readonly line: number; readonly sizeBytes: number }
  | BadRow;

/** Takes the records of a text. */
export type Records = {
  readonly add: (record: CsvRecord) => void;
  /** Whether it takes no more before somebody has taken those. */
  readonly isFull: boolean;
  /**
   * Takes the records that some bytes begin with, as far as they are regular.
   *
   * @param line the number of the first line
   * @param to none that begins at this byte or behind it
   * @returns how much was taken
   */
  readonly takeLines?: (
    bytes: Buffer,
    line: number,
    to: number,
  ) => { readonly sizeBytes: number; readonly lines: number };
};

/** How records are read, and the byte of the text from which on none is. */
type Reading = {
  readonly delimiter: string;
  readonly columns?: number | undefined;
  readonly to?: number | undefined;
};

/**
 * Passes on the records of a text. It pauses whenever `records` is full, and within very long ones.
 *
 * The parser cannot go on behind a quote that stands where none may, and reads on over the rows
 * behind one that has no end; so the line where such a record began is passed on as bad, and a new
 * parser reads from the next. Where no quote is near, no parser is needed.
 */
export async function* passRecords(
  text: TextReader,
  { delimiter, columns, to = Number.POSITIVE_INFINITY }: Reading,
  records: Records,
): AsyncGenerator<void> {
  const isTabWhite = delimiter !== '\t';
  let width = columns;
  /** So many bytes of a slice are read record by record; at first those of its first line. */
  let few: number | undefined;
  for (;;) {
    const start = text.at;
    let slice = await text.sliceFrom(start);
    if (!slice.includes(newline)) slice = await text.longerSlice();
    const taken = records.takeLines?.(slice, text.line, to - start);
    if (taken !== undefined && taken.lines > 0) {
      text.moveOver(taken.sizeBytes, taken.lines);
      few = fewBytes;
      if (records.isFull) yield;
      continue;
    }
    let parsed = plainRecords(slice.subarray(0, few ?? slice.indexOf(newline) + 1), delimiter);
    if (parsed.length === 0) parsed = plainRecords(slice, delimiter);
    few = Number.POSITIVE_INFINITY;
    let error: Error | undefined;
    const parsing = parsed.length === 0 ? startParsing(delimiter) : undefined;
    for (let next = start; error === undefined; ) {
      if (parsing !== undefined) {
        slice = await text.sliceFrom(next);
        next += slice.length;
        await parsing.write(slice);
        parsed = parsing.take();
      }
      if (parsed.length === 0 && slice.length > 0 && next - start > slice.length) yield;
      for (const { cells, bytes } of parsed) {
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
        records.add({ cells, line, sizeBytes });
        if (records.isFull) yield;
      }
      error ??= parsing?.error();
      if (slice.length === 0 && error === undefined) return;
      // Behind them, lines may be plain again.
      if (parsed.length > 0) break;
    }
    if (error === undefined) continue;
    text.skipBlank(isTabWhite, to);
    if (text.at >= to) return;
    // The parser says on which line, counted from where it began.
    const reason = reasonOfRecord(error);
    const { line } = text;
    records.add({ line, reason, text: await text.skipLine() });
    if (records.isFull) yield;
  }
}

const nothingBehindQuote = 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE';

/** What is wrong with a record, and what to do. */
function reasonOfRecord(error: Error & { readonly code?: string }): string {
  if (error.code === 'CSV_INVALID_CLOSING_QUOTE' || error.code === nothingBehindQuote)
    return 'a quote stands within a quoted cell; write it twice there ("")';
  if (error.code === 'CSV_QUOTE_NOT_CLOSED')
    return 'a quote has no end; close it, or put the cell in quotes and write the quote twice ("")';
  if (error.code === 'INVALID_OPENING_QUOTE')
    return 'a quote stands within a cell; put the cell in quotes and write the quote twice ("")';
  if (error.code === 'CSV_MAX_RECORD_SIZE')
    return (
      `a row has more than ${limits.rowBytes / 1_048_576} MiB; a cell may be shorter, and a quote ` +
      'without an end makes one of many'
    );
  return error.message.replace(/ at line \d+$/, '');
}

/** Behind a record that is not regular, lines may be so again. */
const fewBytes = 2_048;

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
