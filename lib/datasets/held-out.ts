import { keys } from '../bucket/keys.ts';
import { invalid } from '../errors.ts';
import type { CellColumn } from '../features/cell-table.ts';
import { cellsOfSpec, columnsOf } from '../features/columns.ts';
import { withDecimalPoint } from '../features/decimal-comma.ts';
import type { Encoding } from '../features/encoder.ts';
import { timeOf, timeRule } from '../features/kinds/timestamp.ts';
import { refusing } from '../features/refusing.ts';
import type { Layout } from '../features/samples.ts';
import { isRecord, show } from '../parse.ts';
import type { Spec } from '../spec/spec.ts';
import { fileNamed } from './file-names.ts';
import { foldOf, heldOutDraw } from './order.ts';
import type { SampleChunk } from './tally.ts';
import { rowReader } from './to-sample.ts';

/** A row of a chunk: its place among all rows of the source, and in the chunk. */
export type SplitRow = { readonly row: number; readonly index: number };

/**
 * Whether a row is held out: drawn by its number; or because of what it says in a column, or the
 * file that it is in. It follows from the spec, the salt and the row alone.
 */
export function heldOutRule(
  spec: Spec,
  salt?: number,
): (chunk: SampleChunk, at: SplitRow) => boolean {
  const { seed, batch } = spec;
  const { validation } = batch;
  const draw = heldOutDraw(seed, salt);
  if (typeof validation === 'number') return (_chunk, { row }) => draw(row) < validation;
  if ('folds' in validation) {
    const { folds, fold } = validation;
    const ownFold = foldOf(folds, seed, salt);
    return (_chunk, { row }) => ownFold(row) === fold;
  }
  if ('files' in validation) {
    const isNamed = fileNamed(validation.files);
    return ({ placeOf }, { index }) => placeOf !== undefined && isNamed(placeOf(index).file);
  }
  if ('dataset' in validation) {
    const folder = keys.dataset(validation.dataset);
    return ({ placeOf }, { index }) => placeOf?.(index).file?.startsWith(folder) ?? false;
  }
  const { from } = validation;
  const { cellAt, read } = readerOf(spec, validation);
  const least = read(from) ?? Number.POSITIVE_INFINITY;
  return (chunk, { index }) => {
    const value = read(cellAt(chunk, index));
    return value !== undefined && value >= least;
  };
}

/** The cells that rows are held out by, what they say, and what they must be. */
function readerOf(spec: Spec, { column, from }: OfColumn) {
  const cells = cellsOfSpec(spec);
  const features = columnsOf(spec);
  // (Samples have it by the names of features.)
  const names = [
    ...features.filter((each) => each.column === column),
    ...features.filter((each) => each.name === column),
  ].map(({ name }) => name);
  const cellAt = (chunk: SampleChunk, index: number) => cellOf(chunk, index, { column, names });
  if (typeof from === 'number')
    return { cellAt, read: (cell: unknown) => cells.number(cell), rule: 'must be a finite number' };
  const unit = names
    .map((name) => spec.features[name])
    .find((feature) => feature?.type === 'timestamp')?.unit;
  return { cellAt, read: (cell: unknown) => timeOf(cell, cells, unit), rule: timeRule(unit) };
}

type OfColumn = Extract<Validation, { readonly column: string }>;

/**
 * Refuses rows of a chunk whose cell does not say whether they are held out: those to come would be
 * learnt, too, where a date is written in several ways.
 */
export function refusingUnread(
  spec: Spec,
  layout: Layout,
): (chunk: SampleChunk, encoding: Encoding) => Encoding {
  const { validation } = spec.batch;
  if (typeof validation !== 'object' || !('column' in validation)) return (_, encoding) => encoding;
  const { column } = validation;
  const { cellAt, read, rule } = readerOf(spec, validation);
  const { isMissing } = cellsOfSpec(spec);
  return (chunk, encoding) =>
    refusing(layout, encoding, (row) => {
      const cell = cellAt(chunk, encoding.accepted[row] ?? -1);
      if (isMissing(cell) || read(cell) !== undefined) return undefined;
      const reason = `${rule}, since spec.batch.validation holds out by it (found ${show(cell)})`;
      return { field: column, code: 'wrong-type', reason };
    });
}

/** Whether chance says which rows are held out, and not what they are. */
export function isDrawn(
  validation: Validation,
): validation is Extract<Validation, number | { readonly folds: number }> {
  return typeof validation === 'number' || 'folds' in validation;
}

type Validation = Spec['batch']['validation'];

/** A cell of a row, or of the features of the sample that it is. */
function cellOf(
  { rows, samples }: SampleChunk,
  index: number,
  { column, names }: { readonly column: string; readonly names: readonly string[] },
): unknown {
  // (Of a table one cell is had without its row.)
  const text = textOf(rows?.column?.(column), index);
  if (rows !== undefined && text !== undefined) return withDecimalPoint(text, rows);
  const row = rows?.at(index);
  if (rows !== undefined && row !== undefined && Object.hasOwn(row, column))
    return withDecimalPoint(row[column], rows);
  const sample = samples.at(index);
  const features = isRecord(sample) ? sample.features : undefined;
  if (!isRecord(features)) return undefined;
  const name = [...names, column].find((each) => Object.hasOwn(features, each));
  return name === undefined ? undefined : features[name];
}

function textOf(column: CellColumn | undefined, row: number): string | undefined {
  return column?.kind === 'text' ? column.textOf(row) : undefined;
}

/**
 * Whoever says which rows are held out would not see that none is.
 *
 * @throws MillraceError kind `invalid`
 */
export function assertHeldOut({ batch: { validation } }: Spec, rows: number): void {
  if (isDrawn(validation) || rows > 0) return;
  const found =
    'files' in validation || 'dataset' in validation
      ? `is in such a ${'files' in validation ? 'file' : 'dataset'}`
      : `has such a cell of ${JSON.stringify(validation.column)}, if there is such a column`;
  throw invalid(
    `spec.batch.validation: no row that can be learnt ${found} (${JSON.stringify(validation)}); ` +
      'look at the dataset (millrace dataset show), or hold out a share of the rows',
  );
}

/** The columns of a dataset that a job reads: what it holds out by may be no feature. */
export function columnsToRead(spec: Spec): ReadonlySet<string> {
  const { validation } = spec.batch;
  const own = typeof validation === 'object' && 'column' in validation ? [validation.column] : [];
  return new Set([...rowReader(spec).columns, ...own]);
}
