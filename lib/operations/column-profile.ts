import type { ByteSource } from '../datasets/byte-source.ts';
import type { Row } from '../datasets/formats/format.ts';
import { readRows } from '../datasets/rows.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';

/** Rows that are looked at. */
export const draftRows = 20_000;

/** What was seen of a column. */
export type Column = {
  readonly name: string;
  present: number;
  missing: number;
  numbers: number;
  whole: number;
  truths: number;
  dates: number;
  dateTexts: number;
  /** Texts that stand for a missing value, and how often. */
  readonly missingTexts: Map<string, number>;
  vectors: Map<number, number>;
  readonly values: Map<string, number>;
};

const cells = cellsOf(cellsSchema.parse({}));

/** What is in the columns of the first rows of a file. */
export async function profileFile(file: { readonly name: string; readonly bytes: ByteSource }) {
  const columns = new Map<string, Column>();
  let rows = 0;
  for await (const chunk of readRows(file)) {
    for (const row of chunk.rows) {
      if (rows >= draftRows) return { rows, columns, isAll: false };
      rows += 1;
      for (const [name, cell] of Object.entries(flat(row))) {
        const column = columns.get(name) ?? newColumn(name);
        columns.set(name, column);
        look(column, cell);
      }
    }
  }
  return { rows, columns, isAll: true };
}

/** A row that is a sample already has its features inside. */
function flat(row: Row): Row {
  const { features, ...rest } = row;
  const isSample = typeof features === 'object' && features !== null && !Array.isArray(features);
  return isSample ? { ...(features as Row), ...rest } : row;
}

function newColumn(name: string): Column {
  return {
    name,
    present: 0,
    missing: 0,
    numbers: 0,
    whole: 0,
    truths: 0,
    dates: 0,
    dateTexts: 0,
    missingTexts: new Map(),
    vectors: new Map(),
    values: new Map(),
  };
}

/** Dates as texts: ISO 8601, and as spreadsheets write them. */
const day = String.raw`([A-Z][a-z]{2,8}\.? \d{1,2},? \d{4}|\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})`;
const dateText = new RegExp(`^${day}([T ]\\d\\d:\\d\\d.*)?$`);

function look(column: Column, cell: unknown): void {
  if (cells.isMissing(cell)) {
    column.missing += 1;
    const text = typeof cell === 'string' ? cell.trim() : '';
    if (text !== '') column.missingTexts.set(text, (column.missingTexts.get(text) ?? 0) + 1);
    return;
  }
  column.present += 1;
  if (Array.isArray(cell) || ArrayBuffer.isView(cell)) {
    const { length } = cell as ArrayLike<unknown>;
    column.vectors.set(length, (column.vectors.get(length) ?? 0) + 1);
    return;
  }
  if (cell instanceof Date) column.dates += 1;
  if (typeof cell === 'string' && dateText.test(cell)) column.dateTexts += 1;
  const number = typeof cell === 'boolean' ? undefined : cells.number(cell);
  if (number !== undefined && !(cell instanceof Date)) {
    column.numbers += 1;
    if (Number.isInteger(number)) column.whole += 1;
  }
  if (cells.truth(cell) !== undefined) column.truths += 1;
  const text = cells.text(cell);
  if (text !== undefined && (column.values.has(text) || column.values.size <= draftRows))
    column.values.set(text, (column.values.get(text) ?? 0) + 1);
}

/** The texts of a column that are no numbers, the most frequent first. */
export function nonNumbersOf({ values }: Column): readonly string[] {
  return [...values]
    .filter(([text]) => cells.number(text) === undefined)
    .sort(([, a], [, b]) => b - a)
    .map(([text]) => text);
}
