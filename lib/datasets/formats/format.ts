import * as z from 'zod';
import {
  type CellColumn,
  type CellTable,
  type CodedValues,
  eachOf,
  type Items,
  type Row,
} from '../../features/cell-table.ts';
import type { DecimalTable } from '../../features/decimal-comma.ts';
import { grown } from '../../grown.ts';
import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';

/** A part of a file that is no row, and why. */
export type BadRow = { readonly line: number; readonly reason: string; readonly text: string };

/** A place between the rows of a file, from which on it can be read. */
export const filePlace = z.strictObject({
  /** Bytes of its text before the place; in a file that is no text, rows. */
  at: z.int().nonnegative(),
  /** The line there, or the row, from 1. */
  line: z.int().positive(),
  /** Whether the byte before it is the first half of a line end of two. */
  isInLineEnd: z.boolean().optional(),
});

/** A {@link filePlace}. */
export type FilePlace = z.output<typeof filePlace>;

/** A stretch of a file: the rows that begin in it. */
export type Stretch = {
  /** Where it begins; with the file unless given. */
  readonly from?: FilePlace | undefined;
  /** Where it ends, as {@link FilePlace} counts; with the file unless given. */
  readonly to?: number | undefined;
  /** Whether whole numbers of JSON beyond 2^53 are rounded, as releases before 0.24 read them. */
  readonly isRounded?: boolean | undefined;
};

/** Rows in order; of some formats their cells can be had column by column. */
export type Rows = Items<Row> & Partial<CellTable> & DecimalTable;

/** Rows of a file, in order. */
export type RowChunk = {
  readonly rows: Rows;
  /** The line on which each row begins, or its number in a file without lines; from 1. */
  readonly lines: ArrayLike<number> & Iterable<number>;
  readonly bad: readonly BadRow[];
  /** Where the file can be read on behind them; absent where there are none. */
  readonly next?: FilePlace;
};

/**
 * A file format of datasets. Its `read` yields the rows of a file, in order, in chunks. A part that
 * is no row is passed on as bad; it throws an Error that says where the file as a whole cannot be
 * read.
 */
export type Format = {
  /** How the names of its files end, in small letters. */
  readonly endings: readonly `${'.' | '-'}${string}`[];
} & (
  | {
      /** Text, which may be packed as a whole; it is read in pieces of UTF-8. */
      readonly isText: true;
      readonly read: (text: Text, stretch: Stretch) => AsyncGenerator<RowChunk>;
      /**
       * Where a row may go over several lines: the first line at a place or behind it, where one
       * begins, from which on lines look like rows; the place itself if none does.
       */
      readonly rowFrom?: (text: Text, at: number) => Promise<number>;
    }
  | ({ readonly isText: false } & BinaryReader)
);

/** How files of a format are read that are no text. */
export type BinaryReader = {
  /** @param columns that are needed; all unless given */
  readonly read: (
    bytes: ByteSource,
    columns: ReadonlySet<string> | undefined,
    stretch: Stretch,
  ) => AsyncGenerator<RowChunk>;
  /** Rows behind which stretches of about so many bytes may end. */
  readonly cuts: (bytes: ByteSource, stretchBytes: number) => Promise<readonly number[]>;
};

/** The pieces of a text from one of its bytes on. */
export type Text = (first: number) => AsyncIterable<Buffer>;

/** The same pieces. It yields undefined, at first, while there is nothing in them. */
export async function* fromFirst(
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<undefined, AsyncIterable<Buffer>> {
  const all = pieces[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await all.next();
    if (done) return empty;
    if (value.length > 0)
      return (async function* () {
        yield value;
        yield* { [Symbol.asyncIterator]: () => all };
      })();
    yield undefined;
  }
}

const empty = { async *[Symbol.asyncIterator]() {} };

/** What is handed on where a part of a file has no rows: whoever reads may have no time left. */
export const noRows: RowChunk = { rows: [], lines: [], bad: [] };

/** A text of its own: V8's slices keep the whole of what they are cut from. */
export function copied(text: string): string {
  return Buffer.from(text).toString();
}

/** Counts what is collected until there is enough to hand on; its rows are kept elsewhere. */
export class ChunkCollector {
  #lines = new Float64Array(16);
  #rows = 0;
  #bad: BadRow[] = [];
  #sizeBytes = 0;

  /** Rows, a line each. @param sizeBytes that they have in their file */
  add(firstLine: number, sizeBytes: number, rows = 1): void {
    const end = this.#rows + rows;
    if (end > this.#lines.length) this.#lines = grown(this.#lines, end);
    for (let i = 0; i < rows; i++) this.#lines[this.#rows + i] = firstLine + i;
    this.#rows = end;
    this.#sizeBytes += sizeBytes;
  }

  addBad(bad: BadRow): void {
    const text = copied(bad.text.slice(0, limits.badRowCharacters));
    this.#bad.push({ line: bad.line, reason: bad.reason, text });
  }

  /** How many rows, and bytes of them, there is room for. */
  get room(): { readonly rows: number; readonly sizeBytes: number } {
    return {
      rows: limits.chunkRows - this.#rows - this.#bad.length,
      sizeBytes: limits.chunkBytes - this.#sizeBytes,
    };
  }

  get isFull(): boolean {
    const { rows, sizeBytes } = this.room;
    return rows <= 0 || sizeBytes <= 0;
  }

  /** The rows that were collected since the last time, and the place behind them. */
  take(rows: Rows, next: FilePlace | undefined): RowChunk {
    const lines = this.#lines.slice(0, this.#rows);
    const taken = { rows, lines, bad: this.#bad, ...(next && { next }) };
    this.#bad = [];
    [this.#rows, this.#sizeBytes] = [0, 0];
    return taken;
  }
}

/** How many rows of a group are handed on at once. */
export function rowsOfChunk(sizeBytes: number, rows: number): number {
  const bytesOfRow = Math.max(1, sizeBytes / Math.max(1, rows));
  return Math.max(1, Math.min(limits.chunkRows, Math.floor(limits.chunkBytes / bytesOfRow)));
}

/** A column of a group: its name, its values, and the place of a chunk's first row among them. */
export type GroupColumn = readonly [name: string, values: GroupValues, from: number];

/** The values of a column in a group. */
export type GroupValues = ArrayLike<unknown> | CodedValues;

/** The value at a place of a group. */
export function valueAt(values: GroupValues, at: number): unknown {
  return 'known' in values ? values.known[values.places[at] ?? -1] : values[at];
}

/** How many values of a group there are. */
export function lengthOf(values: GroupValues): number {
  return 'known' in values ? values.places.length : values.length;
}

/** Rows whose columns are there. */
class ColumnRows implements CellTable, Items<Row> {
  readonly length: number;
  readonly #columns: readonly GroupColumn[];

  constructor(columns: readonly GroupColumn[], length: number) {
    this.#columns = columns;
    this.length = length;
  }

  column(name: string): CellColumn | undefined {
    const found = this.#columns.find(([own]) => own === name);
    if (found === undefined) return undefined;
    const [, values, from] = found;
    return 'known' in values
      ? { kind: 'coded', ...values, from }
      : { kind: 'values', values, from };
  }

  at(index: number): Row | undefined {
    if (index < 0 || index >= this.length) return undefined;
    return Object.fromEntries(
      this.#columns.map(([name, values, from]) => [name, valueAt(values, from + index)]),
    );
  }

  [Symbol.iterator](): Generator<Row> {
    return eachOf({ length: this.length, at: (index) => this.at(index) });
  }
}

/** Rows of a group as a chunk. @param rowStart the place in the file of the first */
export function chunkOf(
  rowStart: number,
  count: number,
  columns: readonly GroupColumn[],
): RowChunk {
  const lines = new Float64Array(count);
  for (let i = 0; i < count; i++) lines[i] = rowStart + i + 1;
  return {
    rows: new ColumnRows(columns, count),
    lines,
    bad: [],
    next: { at: rowStart + count, line: rowStart + count + 1 },
  };
}

/** Where groups of rows may be cut into stretches of about so many bytes, in rows. */
export function cutsBetween(
  groups: readonly { readonly rows: number; readonly bytes: number }[],
  stretchBytes: number,
): readonly number[] {
  const cuts: number[] = [];
  let [rows, bytes] = [0, 0];
  for (const group of groups) {
    if (rows > (cuts.at(-1) ?? 0) && bytes + group.bytes > stretchBytes) {
      cuts.push(rows);
      bytes = 0;
    }
    rows += group.rows;
    bytes += group.bytes;
  }
  return cuts;
}
