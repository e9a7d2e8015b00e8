import { once } from 'node:events';
import type { Rows } from '../datasets/formats/format.ts';
import { withDecimalPoint } from '../features/decimal-comma.ts';
import type { NumberStyle } from '../features/written-number.ts';
import { plainJson } from '../parse.ts';

/** How cells are written one beside the other. */
export type Writing = {
  readonly delimiter: ',' | ';';
  /** Whether numbers have a decimal comma. */
  readonly hasComma: boolean;
};

/** Writes rows, by the columns that their values are of. */
export type RowWriter = (rows: readonly Readonly<Record<string, unknown>>[]) => Promise<void>;

/** So many rows tell how numbers are written. */
const tellingRows = 1_000;

/**
 * How what is written beside a file's rows is written: as they are, so that whoever reads the file
 * reads it, too. Where semicolons are between cells, a comma may be in a number.
 *
 * @param numbers columns in which numbers stand
 * @param style how they are written, where a spec says it
 */
export function writingOf(rows: Rows, numbers: ReadonlySet<string>, style?: NumberStyle): Writing {
  if (style !== undefined && rows.hasDecimalComma)
    return { delimiter: ';', hasComma: style.at(-2) === ',' };
  if (!rows.hasDecimalComma) return { delimiter: ',', hasComma: false };
  for (let i = 0; i < Math.min(rows.length, tellingRows); i++)
    if (
      Object.entries(rows.at(i) ?? {}).some(
        ([name, cell]) => numbers.has(name) && withDecimalPoint(cell, rows) !== cell,
      )
    )
      return { delimiter: ';', hasComma: true };
  return { delimiter: ';', hasComma: false };
}

/** Writes lines of CSV under some columns, or of JSON where there are none. */
export async function rowWriter(
  output: NodeJS.WritableStream,
  columns: readonly string[] | undefined,
  writing: Writing = { delimiter: ',', hasComma: false },
): Promise<RowWriter> {
  const put = async (texts: readonly string[]) => {
    if (texts.length > 0 && !output.write(`${texts.join('\n')}\n`)) await once(output, 'drain');
  };
  const csvRow = (cells: readonly unknown[]) =>
    cells.map((cell) => csvCell(cell, writing)).join(writing.delimiter);
  if (columns !== undefined)
    await put([
      columns.map((name) => csvCell(name, writing, anyDelimiter)).join(writing.delimiter),
    ]);
  const textOfLine = (line: Readonly<Record<string, unknown>>) =>
    columns === undefined
      ? jsonLine(line)
      : csvRow(columns.map((column) => (Object.hasOwn(line, column) ? line[column] : undefined)));
  return (lines) => put(lines.map(textOfLine));
}

/** By the first line, whoever reads a file guesses what is between its cells. */
const anyDelimiter = /[,;\t|]/;

function csvCell(value: unknown, { delimiter, hasComma }: Writing, quoted?: RegExp): string {
  if (value === undefined || value === null) return '';
  const text = textOf(value);
  if (hasComma && typeof value === 'number') return text.replace('.', ',');
  // (White space around a cell counts within quotes alone.)
  const isQuoted =
    text.includes(delimiter) || quoted?.test(text) === true || /["\r\n]|^\s|\s$/.test(text);
  return isQuoted ? `"${text.replaceAll('"', '""')}"` : text;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' && value !== null ? jsonLine(value) : String(value);
}

function jsonLine(value: object): string {
  return JSON.stringify(value, plainNumbers);
}

/** An integer of 64 bits as a number, where that is exact. */
function plainNumbers(key: string, nested: unknown): unknown {
  const number = typeof nested === 'bigint' ? Number(nested) : undefined;
  return Number.isSafeInteger(number) ? number : plainJson(key, nested);
}
