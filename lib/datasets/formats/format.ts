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

/** A file format of datasets. */
export type Format = {
  /** How the names of its files end, in small letters. */
  readonly endings: readonly `.${string}`[];
  /** Whether the file is text, which may be gzip as a whole. */
  readonly isText: boolean;
  /**
   * The rows of a file, in order, in chunks. A part that is no row is passed on as bad; it throws
   * an Error that says where the file as a whole cannot be read.
   */
  readonly read: (bytes: Uint8Array) => AsyncGenerator<RowChunk>;
};

/** Rows that are handed on at a time. */
export const chunkRows = 16_384;

/** Collects rows until there are enough to hand on. */
export class RowCollector {
  #rows: Row[] = [];
  #lines: number[] = [];
  #bad: BadRow[] = [];

  add(row: Row, line: number): void {
    this.#rows.push(row);
    this.#lines.push(line);
  }

  addBad(line: number, reason: string, text: string): void {
    this.#bad.push({ line, reason, text: text.slice(0, badCharacters) });
  }

  get isFull(): boolean {
    return this.#rows.length + this.#bad.length >= chunkRows;
  }

  /** What was collected since the last time. */
  take(): RowChunk {
    const taken = { rows: this.#rows, lines: this.#lines, bad: this.#bad };
    [this.#rows, this.#lines, this.#bad] = [[], [], []];
    return taken;
  }
}

/** Of a bad row's text, what its refusal repeats. */
const badCharacters = 200;
