import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';

/** A row as its file has it: values by column. */
export type Row = Readonly<Record<string, unknown>>;

/** A part of a file that is no row, and why. */
export type BadRow = { readonly line: number; readonly reason: string; readonly text: string };

/** Rows of a file, in order. */
export type RowChunk = {
  readonly rows: readonly Row[];
  /** The line on which each row begins, or its number in a file without lines; from 1. */
  readonly lines: readonly number[];
  readonly bad: readonly BadRow[];
};

/**
 * A file format of datasets. Its `read` yields the rows of a file, in order, in chunks. A part that
 * is no row is passed on as bad; it throws an Error that says where the file as a whole cannot be
 * read.
 */
export type Format = {
  /** How the names of its files end, in small letters. */
  readonly endings: readonly `.${string}`[];
} & (
  | {
      /** Text, which may be gzip as a whole; it is read in pieces of UTF-8. */
      readonly isText: true;
      readonly read: (text: AsyncIterable<Buffer>) => AsyncGenerator<RowChunk>;
    }
  | {
      readonly isText: false;
      /** @param columns that are needed; all unless given */
      readonly read: (
        bytes: ByteSource,
        columns: ReadonlySet<string> | undefined,
      ) => AsyncGenerator<RowChunk>;
    }
);

/** Rows that are handed on at a time, if they are not wide; see {@link chunkBytes}. */
export const chunkRows = 16_384;
/** Bytes in the file of the rows that are handed on at a time. */
export const chunkBytes = 4 * 1_048_576;

/** What is handed on where a part of a file has no rows: whoever reads may have no time left. */
export const noRows: RowChunk = { rows: [], lines: [], bad: [] };

/** A text of its own: V8's slices keep the whole of what they are cut from. */
function copied(text: string): string {
  return Buffer.from(text).toString();
}

/** Collects rows until there are enough to hand on. */
export class RowCollector {
  #rows: Row[] = [];
  #lines: number[] = [];
  #bad: BadRow[] = [];
  #sizeBytes = 0;

  /** @param sizeBytes that the row has in its file */
  add(row: Row, line: number, sizeBytes: number): void {
    this.#rows.push(row);
    this.#lines.push(line);
    this.#sizeBytes += sizeBytes;
  }

  addBad(line: number, reason: string, text: string): void {
    this.#bad.push({ line, reason, text: copied(text.slice(0, limits.badRowCharacters)) });
  }

  get isFull(): boolean {
    return this.#rows.length + this.#bad.length >= chunkRows || this.#sizeBytes >= chunkBytes;
  }

  /** What was collected since the last time. */
  take(): RowChunk {
    const taken = { rows: this.#rows, lines: this.#lines, bad: this.#bad };
    [this.#rows, this.#lines, this.#bad] = [[], [], []];
    this.#sizeBytes = 0;
    return taken;
  }
}
