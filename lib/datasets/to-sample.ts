import type { Items, Row } from '../features/cell-table.ts';
import { readNumber } from '../features/cells.ts';
import { cellsOfSpec, columnsOf, type Declaration } from '../features/columns.ts';
import { type DecimalTable, decimalCells, withDecimalPoint } from '../features/decimal-comma.ts';
import { labelReader } from '../features/label.ts';
import { weightColumn } from '../features/sample-parts.ts';
import { inOneLine } from '../parse.ts';

type ReadCell = (cell: unknown) => unknown;

/** How the rows of a dataset become samples. */
export type RowReader = {
  /** The columns that it may take; it passes over the others. */
  readonly columns: ReadonlySet<string>;
  readonly toSample: (row: Row) => unknown;
  /**
   * Whether rows that are sent are labels of what was asked before: all have an `id`, and none has
   * a feature.
   */
  readonly areLateLabels: (rows: Items<Row>) => boolean;
  /** What a cell of a column of ids says. */
  readonly readId: ReadCell;
  /** A row as such a label; without its id, if it has none of that name. */
  readonly toLateLabel: (row: Row) => Readonly<Record<string, unknown>>;
  /** The columns of features, and of the label if it is wanted, that none of some rows has. */
  readonly absentFrom: (rows: Items<Row>, wanted?: 'features') => readonly string[];
};

/**
 * Turns rows into samples. It takes the columns that the spec names for features and label, and
 * `weight` if that is none of them. A row that has `features` already is a sample. Cells stay as they
 * are, but for decimal commas: the encoder reads them as it reads messages.
 *
 * @param rows which of them it reads: such with decimal commas or without
 */
export function rowReader(declaration: Declaration, rows: DecimalTable = {}): RowReader {
  const cells = cellsOfSpec(declaration);
  const { columns, readLabel, readOutput, readWeight, readId } = cellReaders(declaration, rows);
  const { outputs, column: labelColumn = declaration.label.name } = declaration.label;
  const taken = new Set([...columns.map(({ column }) => column), ...(outputs ?? [labelColumn])]);
  const hasWeights = !taken.has(weightColumn);
  // Where a sample may lack all values, it must still name some of its features.
  const keepsNull = declaration.missing === 'learnt';
  const toSample = (row: Row) => {
    if (!taken.has('features') && isSample(row)) return sampleOf(row);
    const cell = (column: string) => (Object.hasOwn(row, column) ? row[column] : undefined);
    // A loop, not a list of entries: this runs for each row. No feature is called __proto__.
    const features: Record<string, unknown> = {};
    for (const { name, column, read } of columns) {
      const found = cell(column);
      if (found !== undefined && (found !== null || keepsNull)) features[name] = read(found);
    }
    return { features, label: labelOf(row), ...weightOf(row) };
  };
  const labelOf = (row: Row) => {
    const own = outputs?.filter((column) => Object.hasOwn(row, column)) ?? [];
    if (own.length > 0)
      return Object.fromEntries(own.map((column) => [column, readOutput(row[column])]));
    if (outputs !== undefined && taken.has('label')) return undefined;
    const column = outputs === undefined ? labelColumn : 'label';
    return readLabel(Object.hasOwn(row, column) ? row[column] : undefined);
  };
  const weightOf = ({ [weightColumn]: weight }: Row) =>
    !hasWeights || weight === undefined || weight === null ? {} : { weight: readWeight(weight) };
  const hasFeature = (row: Row) => columns.some(({ column }) => Object.hasOwn(row, column));
  const areLateLabels = (rows: Items<Row>) =>
    columns.length > 0 &&
    !taken.has('id') &&
    [...rows].every((row) => Object.hasOwn(row, 'id') && !isSample(row) && !hasFeature(row));
  const toLateLabel = (row: Row) => {
    const isShort = !taken.has('label') && !Object.hasOwn(row, labelColumn);
    const { id, label: short } = row;
    const label = outputs === undefined && isShort ? readLabel(short) : labelOf(row);
    const own = { label, ...weightOf(row), ...defaultOf(row) };
    return id === undefined || taken.has('id') ? own : { id: readId(id), ...own };
  };
  const defaultOf = (row: Row) => {
    const cell = taken.has('default') ? undefined : row.default;
    const isDefault = cells.isMissing(cell) ? false : (cells.truth(cell) ?? cell);
    return isDefault === false ? {} : { default: isDefault };
  };
  const absentFrom = (items: Items<Row>, wanted?: 'features') => {
    const rows = [...items];
    if (rows.some(isSample)) return [];
    const has = (column: string) => rows.some((row) => Object.hasOwn(row, column));
    const isLabelled = wanted === 'features' || (outputs !== undefined && has('label'));
    const ofLabel = isLabelled ? [] : (outputs ?? [labelColumn]);
    const all = [...columns.map(({ column }) => column), ...ofLabel];
    return [...new Set(all)].filter((column) => !has(column));
  };
  const own = new Set([...taken, ...sampleFields]);
  return { columns: own, toSample, areLateLabels, readId, toLateLabel, absentFrom };
}

/** How the cells of columns become what samples have. */
function cellReaders(declaration: Declaration, rows: DecimalTable) {
  const isOld = declaration.cells === undefined;
  const decimals = decimalCells(declaration);
  const reader = (isNumber: boolean, own?: ReadCell): ReadCell => {
    const read = (isOld ? own : undefined) ?? asItIs;
    return isNumber && rows.hasDecimalComma ? (cell) => read(withDecimalPoint(cell, rows)) : read;
  };
  return {
    columns: columnsOf(declaration).flatMap(({ name, column, behaviour: { of, readCell } }) =>
      // Those that are taken from others have no column of their own.
      of ? [] : [{ name, column, read: reader(decimals.ofFeature(name), readCell) }],
    ),
    readLabel: reader(decimals.ofLabel, labelReader(declaration).readCell),
    readOutput: reader(decimals.ofLabel),
    readWeight: reader(declaration.cells?.numbers === undefined, readNumber),
    readId: reader(decimals.ofId),
  };
}

/** A field of a sample as one finds it in the file: with its column, if that has another name. */
export function fieldInFile(declaration: Declaration, field: string): string {
  const { name, outputs, column = name } = declaration.label;
  const own = columnsOf(declaration).find((each) => field === `features.${each.name}`);
  const found = field === 'label' && outputs === undefined ? column : own?.column;
  const isPlain = found === undefined || field === found || field === `features.${found}`;
  return isPlain ? field : `${field} (column ${inOneLine(found)})`;
}

/** Columns that only rows have that are labels of what was asked before. */
export const lateLabelColumns = ['id', 'label', 'default'] as const;

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
function sampleOf(row: Row): unknown {
  const own = sampleFields.filter((field) => Object.hasOwn(row, field));
  return Object.fromEntries(own.map((field) => [field, row[field]]));
}
