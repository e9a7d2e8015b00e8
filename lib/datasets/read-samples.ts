import type { Declaration } from '../features/columns.ts';
import type { BadRow, FilePlace, Row } from './formats/format.ts';
import { type DatasetFile, readRows } from './rows.ts';
import type { RowPlace } from './tally.ts';
import { rowReader } from './to-sample.ts';

/** Rows of a file, each with the sample that it is. */
export type FileChunk = {
  readonly rows: readonly Row[];
  readonly samples: readonly unknown[];
  /** Where a sample of the chunk comes from. */
  readonly placeOf: (index: number) => RowPlace;
  readonly bad: readonly (BadRow & RowPlace)[];
  /** Where the file can be read on behind them. */
  readonly next?: FilePlace | undefined;
  /** Columns that the declaration names, and none of the chunk's rows has. */
  readonly absent: () => readonly string[];
};

/** The samples of a file, in order, in chunks. @throws as {@link readRows} */
export async function* readSamples(
  declaration: Declaration,
  { columns: chosen, ...file }: DatasetFile,
): AsyncGenerator<FileChunk> {
  const { columns, toSample, absentFrom } = rowReader(declaration);
  for await (const { rows, lines, bad, next } of readRows({
    ...file,
    columns: chosen ?? columns,
  })) {
    yield {
      rows,
      samples: rows.map(toSample),
      placeOf: (index) => ({ file: file.name, line: lines[index] ?? 0 }),
      bad: bad.map((each) => ({ ...each, file: file.name })),
      next,
      absent: () => (rows.length === 0 ? [] : absentFrom(rows)),
    };
  }
}
