import { readNumber } from '../features/cells.ts';
import { cellsOfSpec, columnsOf, type Declaration } from '../features/columns.ts';
import { labelReader } from '../features/label.ts';
import type { Row } from './formats/format.ts';

/** The column of samples' weights, where no feature and no label has it. */
const weightColumn = 'weight';

/** How the rows of a dataset become samples. */
export type RowReader = {
  /** The columns that it may take; it passes over the others. */
  readonly columns: ReadonlySet<string>;
  readonly toSample: (row: Row) => unknown;
  /** Of a label with an id: `default`, if its row says that it is one. */
  readonly defaultOf: (row: Row) => { readonly default?: unknown };
  /** The columns of features that none of some rows has. */
  readonly absentFrom: (rows: readonly Row[]) => readonly string[];
};

/**
 * Turns rows into samples. It takes the columns that the spec names for features and label, and
 * `weight` if that is none of them. A row that has `features` already is a sample, and one that is
 * an `id` with a label alone is the label of what was asked under that. Cells stay as they are: the
 * encoder reads them as it reads messages.
 */
export function rowReader(declaration: Declaration): RowReader {
  const isOld = declaration.cells === undefined;
  const cells = cellsOfSpec(declaration);
  const columns = columnsOf(declaration).flatMap(({ name, column, behaviour }) =>
    // Those that are taken from others have no column of their own.
    behaviour.of ? [] : [{ name, column, read: isOld ? behaviour.readCell : asItIs }],
  );
  const labelColumn = declaration.label.column ?? declaration.label.name;
  const readLabel = isOld ? labelReader(declaration).readCell : asItIs;
  const taken = new Set([...columns.map(({ column }) => column), labelColumn]);
  const hasWeights = !taken.has(weightColumn);
  const ownLateFields = lateLabelFields.filter((field) => !taken.has(field));
  const lateFields = new Set([
    ...ownLateFields,
    labelColumn,
    ...(taken.has('label') ? [] : ['label']),
  ]);
  const toSample = (row: Row) => {
    if (!taken.has('features') && isSample(row)) return sampleOf(row, sampleFields);
    if (lateFields.has('id') && columns.length > 0 && isLateLabel(row)) return lateLabelOf(row);
    const cell = (column: string) => (Object.hasOwn(row, column) ? row[column] : undefined);
    const weight = hasWeights ? cell(weightColumn) : undefined;
    // A loop, not a list of entries: this runs for each row. No feature is called __proto__.
    const features: Record<string, unknown> = {};
    for (const { name, column, read } of columns) {
      const found = cell(column);
      if (found !== undefined && found !== null) features[name] = read(found);
    }
    return {
      features,
      label: readLabel(cell(labelColumn)),
      ...(weight === undefined || weight === null
        ? {}
        : { weight: isOld ? readNumber(weight) : weight }),
    };
  };
  const isLateLabel = (row: Row) =>
    Object.hasOwn(row, 'id') && Object.keys(row).every((key) => lateFields.has(key));
  const lateLabelOf = (row: Row) => {
    const label = Object.hasOwn(row, labelColumn) ? labelColumn : 'label';
    const { default: _, ...own } = sampleOf(row, ownLateFields);
    return { ...own, label: readLabel(row[label]), ...defaultOf(row) };
  };
  const defaultOf = (row: Row) => {
    const cell = lateFields.has('default') ? row.default : undefined;
    const isDefault = cells.isMissing(cell) ? false : (cells.truth(cell) ?? cell);
    return isDefault === false ? {} : { default: isDefault };
  };
  const absentFrom = (rows: readonly Row[]) => {
    if (rows.some((row) => isSample(row) || isLateLabel(row))) return [];
    const has = (column: string) => rows.some((row) => Object.hasOwn(row, column));
    return columns.flatMap(({ column }) => (has(column) ? [] : [column]));
  };
  const columnsOfSamples = new Set([...taken, ...sampleFields]);
  return { columns: columnsOfSamples, toSample, defaultOf, absentFrom };
}

/** The columns of a row, beside its label, that is the label of what was asked under an id. */
export const lateLabelFields = ['id', weightColumn, 'default'];

/** The columns of a row that is a sample already. */
const sampleFields = ['features', 'label', weightColumn];

const asItIs = (cell: unknown) => cell;

function isSample(row: Row): boolean {
  const { features } = row;
  return (
    typeof features === 'object' &&
    features !== null &&
    !Array.isArray(features) &&
    !ArrayBuffer.isView(features)
  );
}

/** A row that is a sample; other columns are passed over, as those of any row. */
function sampleOf(row: Row, fields: readonly string[]): Readonly<Record<string, unknown>> {
  const own = fields.filter((field) => Object.hasOwn(row, field));
  return Object.fromEntries(own.map((field) => [field, row[field]]));
}
