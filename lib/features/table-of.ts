import { SampleTable } from './sample-table.ts';

/** What the samples of a list may have for the list to have a table. */
const fieldNames = ['features', 'label', 'weight'];

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
  if (samples.length < fewestSamples) return undefined;
  if (!isPlain(first) || !isPlain(first.features)) return undefined;
  const names = Object.keys(first);
  if (!names.every((name) => fieldNames.includes(name))) return undefined;
  const empty = (name: string) => ({ name, cells: new Array<unknown>(samples.length) });
  const columns = Object.keys(first.features).map(empty);
  // Nothing says how many they are where no column has a cell.
  if (names.length + columns.length === 1) return undefined;
  const fields = names.map((name) => (name === 'features' ? { name, columns } : empty(name)));
  for (let row = 0; row < samples.length; row++)
    if (!putCells(samples[row], fields, row)) return undefined;
  return new SampleTable(fields, samples.length);
}

/** Puts what an object has into columns. @returns whether it has that of each, and no more */
function putCells(own: unknown, columns: readonly Column[], row: number): boolean {
  if (!isPlain(own)) return false;
  const names = Object.keys(own);
  if (names.length !== columns.length) return false;
  for (let place = 0; place < names.length; place++) {
    const column = columns[place];
    if (column === undefined || column.name !== names[place]) return false;
    const value = own[column.name];
    if ('columns' in column) {
      if (!putCells(value, column.columns, row)) return false;
    } else if (!isCell(value)) return false;
    else column.cells[row] = value;
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
