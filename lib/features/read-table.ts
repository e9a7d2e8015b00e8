import { limits } from '../limits.ts';
import { isRecord, show } from '../parse.ts';
import { fieldNames, type NamedCells, SampleTable, type TableField } from './sample-table.ts';

/** Why columns make no samples, and the path of the one that is wrong. */
type ColumnsProblem = {
  readonly ok: false;
  readonly path: readonly string[];
  readonly reason: string;
};

/**
 * The samples of columns that came from outside, `{ features: { <name>: cells }, label: cells }`:
 * each a list with a cell for each sample.
 */
export function readTable(
  sent: unknown,
): { readonly ok: true; readonly table: SampleTable } | ColumnsProblem {
  if (!isRecord(sent)) return no([], `must be an object of columns (found ${show(sent)})`);
  const fields: TableField[] = [];
  /** The first column, which the others are held to. */
  let first: { readonly path: string; readonly count: number } | undefined;
  const problemOf = (path: readonly string[], cells: unknown): ColumnsProblem | undefined => {
    if (!Array.isArray(cells)) return no(path, `must be a list of cells (found ${show(cells)})`);
    first ??= { path: path.join('.'), count: cells.length };
    if (cells.length === first.count) return undefined;
    const found = `has ${cells.length} cells, where ${first.path} has ${first.count}`;
    return no(path, `${found}; each column has a cell for each sample`);
  };
  for (const [name, value] of Object.entries(sent)) {
    if (!fieldNames.includes(name))
      return no([], `unknown field ${show(name)}; allowed: ${fieldNames.join(', ')}`);
    if (name !== 'features') {
      const wrong = problemOf([name], value);
      if (wrong !== undefined) return wrong;
      fields.push({ name, cells: value as NamedCells['cells'] });
      continue;
    }
    if (!isRecord(value)) return no([name], `must be an object of columns (found ${show(value)})`);
    const columns: NamedCells[] = [];
    for (const [feature, cells] of Object.entries(value)) {
      const wrong = problemOf([name, feature], cells);
      if (wrong !== undefined) return wrong;
      columns.push({ name: feature, cells: cells as NamedCells['cells'] });
    }
    fields.push({ name, columns });
  }
  if (first === undefined) return no([], 'must have a column of cells');
  const table = new SampleTable(fields, first.count);
  const reason = reasonAgainst(table);
  return reason === undefined ? { ok: true, table } : no([], reason);
}

/** Why a table has not as many samples as a message may; undefined if it has. */
function reasonAgainst({ length, nameBytes }: SampleTable): string | undefined {
  if (length === 0) return 'must hold at least one sample';
  if (length > limits.messageSamples) return `at most ${limits.messageSamples} samples`;
  const bytes = length * nameBytes;
  if (bytes <= limits.sampleObjectBytes) return undefined;
  return (
    `with ${nameBytes} bytes of names for each of its ${length} samples it would be a list of ` +
    `${bytes} bytes; at most ${limits.sampleObjectBytes} are allowed, send fewer in a message`
  );
}

function no(path: readonly string[], reason: string): ColumnsProblem {
  return { ok: false, path, reason };
}
