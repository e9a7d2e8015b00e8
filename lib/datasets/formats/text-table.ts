import {
  type CellColumn,
  type CellTable,
  eachOf,
  type Items,
  type Row,
} from '../../features/cell-table.ts';
import { grown } from '../../grown.ts';
import { endsOfCells, isWhite, quote } from './cell-bytes.ts';
import { LineScanner, mostScanned } from './line-scanner.ts';
import { carriageReturn, newline } from './text-reader.ts';

/** What parts the cells of a text, and how its columns are called. */
export type TextColumns = { readonly header: readonly string[]; readonly delimiter: string };

/** How far rows are taken: so many, so many of their bytes, and those that begin before a byte. */
export type Room = { readonly rows: number; readonly sizeBytes: number; readonly to: number };

/**
 * Rows of a delimited text as they lie there: where each of their cells begins and ends. Nothing is
 * a value or an object until somebody asks for it.
 */
export class TextTable implements CellTable, Items<Row> {
  readonly #header: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #delimiter: number;
  readonly #ends: Uint8Array;
  readonly hasDecimalComma: boolean;
  #bytes: Buffer;
  #usedBytes = 0;
  /** Two of each cell: where it begins, and where it ends. */
  #bounds: Int32Array;
  #rows = 0;
  /** How many bytes are scanned at once, and how many lines are read one by one before. */
  #scanned = mostScanned;
  #oddLines = 0;
  #leftLines = 0;
  /** Rows that are not as they lie in the text. */
  readonly #others = new Map<number, Row>();

  /** @param like a table that is about as large, if there is one */
  constructor({ header, delimiter }: TextColumns, like?: TextTable) {
    this.#header = header;
    this.#places = new Map(header.map((name, place) => [name, place]));
    this.#delimiter = delimiter.charCodeAt(0);
    this.#ends = endsOfCells(this.#delimiter);
    const [bytes, rows] = like === undefined ? [0, 0] : [like.#usedBytes, like.#rows];
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#bounds = new Int32Array(rows * this.#stride);
    // As spreadsheets write it.
    this.hasDecimalComma = delimiter === ';';
  }

  get length(): number {
    return this.#rows;
  }

  /** Adds a row that somebody else has read. */
  add(cells: readonly string[]): void {
    this.#reserve(0, 1);
    this.#bounds.fill(-1, this.#rows * this.#stride, (this.#rows + 1) * this.#stride);
    this.#others.set(this.#rows, this.#rowOf(cells));
    this.#rows += 1;
  }

  /**
   * Adds the rows that some bytes begin with, as far as each is one line, with a cell for each
   * column, which is quoted as a whole or has no quote.
   *
   * @returns how many bytes were taken
   */
  take(bytes: Buffer, { rows: mostRows, sizeBytes, to }: Room): number {
    const stop = Math.min(to, sizeBytes, bytes.length);
    const most = this.#rows + mostRows;
    let at = 0;
    while (this.#rows < most && at < stop) {
      this.#reserve(0, 1);
      const plain = this.#scan(bytes, at, { rows: most - this.#rows, to: stop });
      at += plain;
      if (plain > 0) continue;
      const next = this.#lineAt(bytes, at);
      if (next < 0) break;
      at = next;
      this.#rows += 1;
    }
    this.#reserve(at, 0);
    bytes.copy(this.#bytes, this.#usedBytes, 0, at);
    this.#usedBytes += at;
    return at;
  }

  column(name: string): CellColumn | undefined {
    const place = this.#places.get(name);
    if (place === undefined) return undefined;
    const stride = this.#stride;
    return {
      kind: 'text',
      bytes: this.#bytes,
      bounds: this.#bounds,
      stride,
      offset: 2 * place,
      textOf: (row) => {
        const start = this.#bounds[row * stride + 2 * place] ?? -1;
        const stop = this.#bounds[row * stride + 2 * place + 1] ?? -1;
        return start < 0 ? undefined : this.#bytes.toString('utf8', start, stop);
      },
      hasDecimalComma: this.hasDecimalComma,
    };
  }

  at(index: number): Row | undefined {
    if (index < 0 || index >= this.#rows) return undefined;
    const other = this.#others.get(index);
    if (other !== undefined) return other;
    const first = index * this.#stride;
    const start = this.#bounds[first] ?? 0;
    const stop = this.#bounds[first + this.#stride - 1] ?? 0;
    const text = this.#bytes.toString('latin1', start, stop);
    const isAscii = !/[\x80-\xff]/.test(text);
    const cells = this.#header.map((_, place) => {
      const own = this.#bounds[first + 2 * place] ?? 0;
      const end = this.#bounds[first + 2 * place + 1] ?? 0;
      return isAscii
        ? text.slice(own - start, end - start)
        : this.#bytes.toString('utf8', own, end);
    });
    return this.#rowOf(cells);
  }

  [Symbol.iterator](): Generator<Row> {
    return eachOf({ length: this.length, at: (index) => this.at(index) });
  }

  get #stride(): number {
    return 2 * this.#header.length;
  }

  /**
   * Adds the plain rows that begin at a byte. ({@link #lineAt} takes many times as long; but where
   * others are among them, it is not worth while to begin again and again.)
   *
   * @returns how many bytes they have
   */
  #scan(text: Buffer, start: number, { rows, to }: Omit<Room, 'sizeBytes'>): number {
    if (this.#leftLines > 0) {
      this.#leftLines -= 1;
      return 0;
    }
    const room = Math.floor(this.#bounds.length / this.#stride) - this.#rows;
    const scan = { text, start, sizeBytes: this.#scanned, rows: Math.min(rows, room), to };
    scanner ??= new LineScanner();
    const found = scanner.scan(
      { ...scan, cells: this.#header.length, delimiter: this.#delimiter },
      {
        bounds: this.#bounds,
        place: this.#rows * this.#stride,
        origin: this.#usedBytes + start,
      },
    );
    this.#rows += found.rows;
    if (found.isOdd) {
      this.#oddLines = found.rows > 0 ? 1 : Math.min(2 * this.#oddLines + 1, mostOddLines);
      this.#leftLines = this.#oddLines;
      this.#scanned = Math.max(this.#scanned >> 2, leastScanned);
    } else this.#scanned = Math.min(2 * this.#scanned, mostScanned);
    return found.bytes;
  }

  /**
   * Finds the cells of the row that begins at a byte, if it is a line as {@link take} asks for.
   *
   * @returns where the next line begins; −1 if it is not, or does not end here
   */
  #lineAt(text: Buffer, start: number): number {
    const end = text.length;
    const bounds = this.#bounds;
    const before = this.#usedBytes;
    const cells = this.#header.length;
    const ends = this.#ends;
    const delimiter = this.#delimiter;
    // What is white at the start of a line may belong to the line before, or to nothing.
    if (isWhite(text[start]) && text[start] !== delimiter) return -1;
    let place = this.#rows * this.#stride;
    let at = start;
    for (let cell = 0; ; cell++) {
      let [from, to] = [at, at];
      if (text[at] === quote) {
        from = at + 1;
        to = endOfQuoted(text, from);
        if (to < 0) return -1;
        at = to + 1;
      } else {
        while (at < end && ends[text[at] ?? 0] === 0) at += 1;
        if (text[at] === quote) return -1;
        to = at;
        while (from < to && isWhite(text[from])) from += 1;
        while (from < to && isWhite(text[to - 1])) to -= 1;
        if (from < to && hasWideEdge(text, from, to)) return -1;
      }
      if (at >= end) return -1;
      if (cell < cells) {
        bounds[place++] = before + from;
        bounds[place++] = before + to;
      } else if (from < to) return -1;
      const byte = text[at];
      at += 1;
      if (byte === delimiter) continue;
      if (cell < cells - 1) return -1;
      if (byte === newline) return at;
      // A return alone ends a line too; another reader says so.
      return byte === carriageReturn && at < end && text[at] === newline ? at + 1 : -1;
    }
  }

  #rowOf(cells: readonly string[]): Row {
    const row: Record<string, string> = {};
    for (const [place, name] of this.#header.entries()) {
      const value = cells[place] ?? '';
      if (name !== '__proto__') row[name] = value;
      else Object.defineProperty(row, name, { value, enumerable: true });
    }
    return row;
  }

  /** Makes room for more bytes and more rows. */
  #reserve(bytes: number, rows: number): void {
    if (this.#usedBytes + bytes > this.#bytes.length) {
      const longer = Buffer.allocUnsafe(Math.max(this.#usedBytes + bytes, 2 * this.#bytes.length));
      this.#bytes.copy(longer, 0, 0, this.#usedBytes);
      this.#bytes = longer;
    }
    const cells = (this.#rows + rows) * this.#stride;
    if (cells > this.#bounds.length)
      this.#bounds = grown(this.#bounds, Math.max(cells, leastBounds));
  }
}

const leastBounds = 1_024;
const leastScanned = 256;
/** So many lines are read one by one where no plain one was found. */
const mostOddLines = 64;

/** One of a process: its memory is used within a call. */
let scanner: LineScanner | undefined;

/** Where a quoted cell ends that begins at a byte; −1 if that is not on its line. */
function endOfQuoted(text: Buffer, from: number): number {
  let to = from;
  while (
    to < text.length &&
    text[to] !== quote &&
    text[to] !== newline &&
    text[to] !== carriageReturn
  )
    to += 1;
  return text[to] === quote ? to : -1;
}

/** Whether a cell begins or ends with a character that may be white space beyond ASCII. */
function hasWideEdge(text: Buffer, from: number, to: number): boolean {
  const last = text[to - 1] ?? 0;
  if ((text[from] ?? 0) < 0x80 && last < 0x80) return false;
  const cell = text.toString('utf8', from, to);
  return cell.trim() !== cell;
}
