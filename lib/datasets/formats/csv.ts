import { type CsvRecord, passRecords, type Records } from './csv-records.ts';
import { ChunkCollector, type Format, fromFirst, noRows, type RowChunk } from './format.ts';
import { plainRecords } from './plain-lines.ts';
import { carriageReturn, lineEnd, newline, TextReader } from './text-reader.ts';
import { type TextColumns, TextTable } from './text-table.ts';

const delimiters = [',', ';', '\t', '|'];
/** What people call them. */
const namesOfDelimiters: Readonly<Record<string, string>> = {
  ',': 'comma',
  ';': 'semicolon',
  '\t': 'tab',
  '|': 'bar',
};

/**
 * Delimited text with a header (RFC 4180); every value is a text. The delimiter is the one that the
 * header has most of. Behind semicolons numbers have decimal commas, as spreadsheets write them.
 */
export const csv: Format = {
  endings: ['.csv', '.tsv'],
  isText: true,
  async *read(open, { from, to }) {
    let text = new TextReader(open(0));
    const delimiter = await delimiterBefore(text);
    const rows = new TableCollector(delimiter);
    if (from !== undefined) {
      const header = await firstHeader(text, delimiter);
      // The header is not behind all cuts.
      if (header !== undefined && from.at >= text.at) rows.begin(header);
      const pieces = fromFirst(open(from.at));
      let passed = await pieces.next();
      for (; !passed.done; passed = await pieces.next()) yield noRows;
      text = new TextReader(passed.value, from);
    }
    for await (const _ of passRecords(text, { delimiter, columns: rows.width, to }, rows))
      yield rows.isFull ? rows.take(rows.width === undefined ? undefined : text.place) : noRows;
    yield rows.take(text.place);
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

/** Collects the rows behind a header until there are enough to hand on. */
class TableCollector implements Records {
  readonly #delimiter: string;
  #columns: TextColumns | undefined;
  #rows: TextTable | undefined;
  readonly #chunk = new ChunkCollector();

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** So many columns its header has, once it is known. */
  get width(): number | undefined {
    return this.#columns?.header.length;
  }

  begin(header: readonly string[]): void {
    this.#columns = { header, delimiter: this.#delimiter };
    this.#rows = new TextTable(this.#columns);
  }

  add(record: CsvRecord): void {
    if ('reason' in record) this.#chunk.addBad(record);
    else if (this.#rows === undefined) this.begin(headerOf(record.cells));
    else {
      const { cells, line, sizeBytes } = record;
      const width = this.width ?? 0;
      if (isWide(cells, width)) {
        this.#rows.add(cells);
        this.#chunk.add(line, sizeBytes);
      } else {
        const values = cells.length === 1 ? 'value' : 'values';
        const hint = `; a cell that holds a ${namesOfDelimiters[this.#delimiter] ?? this.#delimiter} goes in quotes`;
        const reason =
          `it has ${cells.length} ${values}, the header has ${width} ${width === 1 ? 'column' : 'columns'}` +
          (cells.length > width ? hint : '');
        this.#chunk.addBad({ line, reason, text: cells.join(this.#delimiter) });
      }
    }
  }

  takeLines(bytes: Buffer, line: number, to: number) {
    const before = this.#rows?.length ?? 0;
    const sizeBytes = this.#rows?.take(bytes, { ...this.#chunk.room, to }) ?? 0;
    const lines = (this.#rows?.length ?? 0) - before;
    this.#chunk.add(line, sizeBytes, lines);
    return { sizeBytes, lines };
  }

  get isFull(): boolean {
    return this.#chunk.isFull;
  }

  /** What was collected since the last time, and the place behind it. */
  take(next: RowChunk['next']): RowChunk {
    const taken = this.#chunk.take(this.#rows ?? [], next);
    if (this.#columns) this.#rows = new TextTable(this.#columns, this.#rows);
    return taken;
  }
}

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
  const records: Records = {
    add(record) {
      if ('cells' in record) header ??= headerOf(record.cells);
    },
    get isFull() {
      return header !== undefined;
    },
  };
  for await (const _ of passRecords(text, { delimiter }, records)) if (header !== undefined) break;
  return header;
}

/** How cells are told apart in a text, which is moved to its header. */
async function delimiterBefore(text: TextReader): Promise<string> {
  const first = await text.peekLine();
  const told = toldDelimiter(first);
  if (told !== undefined) await text.skipLine();
  return told ?? delimiterOf(first);
}

/** The delimiter that spreadsheets tell in a line before the header. */
export function toldDelimiter(line: string): string | undefined {
  return /^"?sep=([,;|\t:^~])"?\r?$/i.exec(line)?.[1];
}

/** The delimiter of a header: the one that it has most of. */
export function delimiterOf(line: string): string {
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
    throw new Error(
      `line 1: two columns are named ${JSON.stringify(twice)}; rename one, ` +
        'or put a header before it if it is a row',
    );
  return cells;
}
