import { mapped, type Row, type Samples } from '../features/cell-table.ts';
import { type Declaration, hasExactTexts } from '../features/columns.ts';
import type { BadRow, FilePlace, Rows } from './formats/format.ts';
import { type DatasetFile, readRows } from './rows.ts';
import type { RowPlace } from './tally.ts';
import { lateLabelColumns, type RowReader, rowReader } from './to-sample.ts';

/** Rows of a file, each with the sample that it is. */
export type FileChunk = {
  readonly rows: Rows;
  readonly samples: Samples;
  /** What makes samples of its rows. */
  readonly reader: RowReader;
  /** Where a sample of the chunk comes from. */
  readonly placeOf: (index: number) => RowPlace;
  readonly bad: readonly (BadRow & RowPlace)[];
  /** Where the file can be read on behind them. */
  readonly next?: FilePlace | undefined;
  /** Columns that the declaration names, of features alone or also the label, and no row has. */
  readonly absent: (wanted?: 'features') => readonly string[];
};

/**
 * The samples of a file, in order, in chunks.
 *
 * @param file with `isSent` also ids are read, and what was asked under them may be labelled
 * @throws as {@link readRows}
 */
export async function* readSamples(
  declaration: Declaration,
  { columns: chosen, isSent = false, ...file }: DatasetFile & { readonly isSent?: boolean },
): AsyncGenerator<FileChunk> {
  const plain = rowReader(declaration);
  const withCommas = rowReader(declaration, { hasDecimalComma: true });
  const { columns: own, areLateLabels, absentFrom } = plain;
  const columns = chosen ?? new Set(isSent ? [...own, ...lateLabelColumns] : own);
  const isRounded = !hasExactTexts(declaration);
  for await (const { rows, lines, bad, next } of readRows({ ...file, columns, isRounded })) {
    const reader = rows.hasDecimalComma ? withCommas : plain;
    const areLate = isSent && areLateLabels(rows);
    yield {
      rows,
      samples: areLate ? mapped(rows, reader.toLateLabel) : samplesOf(rows, reader.toSample),
      reader,
      placeOf: (index) => ({ file: file.name, line: lines[index] ?? 0 }),
      bad: bad.map((each) => ({ ...each, file: file.name })),
      next,
      absent: (wanted) => (rows.length === 0 || areLate ? [] : absentFrom(rows, wanted)),
    };
  }
}

/** Rows as samples. */
function samplesOf(rows: Rows, toSample: (row: Row) => unknown): Samples {
  const { column } = rows;
  const samples = mapped(rows, toSample);
  return column ? { ...samples, column: column.bind(rows) } : samples;
}
