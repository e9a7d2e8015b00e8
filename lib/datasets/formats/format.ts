/** A row as its file has it: values by column. */
export type Row = Readonly<Record<string, unknown>>;

/** A file format of datasets. */
export type Format = {
  /** How the names of its files end. */
  readonly ending: `.${string}`;
  /** Whether the file may be gzip as a whole; its name then ends with `.gz`. */
  readonly mayBeGzip: boolean;
  /**
   * The rows of a file, in order, in chunks. It throws an Error that says where the file cannot be
   * read.
   */
  readonly read: (bytes: Uint8Array) => AsyncGenerator<readonly Row[]>;
};

/** Rows that are handed on at a time. */
export const chunkRows = 16_384;
