import { limits } from '../limits.ts';
import { fieldNames, SampleTable } from './sample-table.ts';

/** What the samples of a list may have for the list to have a table. */
const plainNames = ['features', 'label', 'weight'];

/** Of fewer samples there is little to spare. */
const fewestSamples = 16;

/** A column that is being filled, or those of an object. */
type Column =
  | { readonly name: string; readonly cells: unknown[] }
  | { readonly name: string; readonly columns: Column[] };

/**
 * The table of a list of samples. There is none where they are few, where not all have the same
 * fields and features in the same order, or where a cell is no text, finite number, truth value or
 * null: what a table makes would not have the JSON of the list.
 */
export function tableOf(samples: readonly unknown[]): SampleTable | undefined {
  const [first] = samples;
  return isPlain(first) && isPlain(first.features)
    ? filled(samples, { names: plainNames, isCell })
    : undefined;
}

/**
 * The table of a list of samples that were read from JSON, whatever their cells are, and whether
 * they have features; undefined where they have not all the same fields and features in the same
 * order.
 */
export function tableOfSent(samples: readonly unknown[]): SampleTable | undefined {
  return filled(samples, { names: fieldNames, isCell: () => true });
}

/** @param allowed the fields that samples may have, and what a cell may be */
function filled(
  samples: readonly unknown[],
  allowed: { readonly names: readonly string[]; readonly isCell: (value: unknown) => boolean },
): SampleTable | undefined {
  const [first] = samples;
  const { length } = samples;
  if (length < fewestSamples || length > limits.messageSamples || !isPlain(first)) return undefined;
  const names = Object.keys(first);
  if (!names.every((name) => allowed.names.includes(name))) return undefined;
  const empty = (name: string) => ({ name, cells: new Array<unknown>(samples.length) });
  const { features = {} } = first;
  if (!isPlain(features)) return undefined;
  const columns = Object.keys(features).map(empty);
  const fields = names.map((name) => (name === 'features' ? { name, columns } : empty(name)));
  // Nothing says how many they are where no column has a cell.
  if (columns.length === 0 && fields.every((field) => 'columns' in field)) return undefined;
  for (let row = 0; row < samples.length; row++)
    if (!putCells(samples[row], fields, { row, isCell: allowed.isCell })) return undefined;
  return new SampleTable(fields, samples.length);
}

/** Puts what an object has into columns. @returns whether it has that of each, and no more */
function putCells(
  own: unknown,
  columns: readonly Column[],
  place: { readonly row: number; readonly isCell: (value: unknown) => boolean },
): boolean {
  if (!isPlain(own)) return false;
  const names = Object.keys(own);
  if (names.length !== columns.length) return false;
  for (let i = 0; i < names.length; i++) {
    const column = columns[i];
    if (column === undefined || column.name !== names[i]) return false;
    const value = own[column.name];
    if ('columns' in column) {
      if (!putCells(value, column.columns, place)) return false;
    } else if (!place.isCell(value)) return false;
    else column.cells[place.row] = value;
  }
  return true;
}

/** Whether a value has fields of its own alone, so that its JSON is that of its fields. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isCell(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' || typeof value === 'boolean' || value === null;
}
