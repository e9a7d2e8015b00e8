import type { ByteSource } from '../datasets/byte-source.ts';
import { readRows } from '../datasets/rows.ts';
import type { Row } from '../features/cell-table.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { type DecimalTable, withDecimalPoint } from '../features/decimal-comma.ts';
import type { Task } from '../features/task.ts';
import { type Column, flat } from './column-profile.ts';
import { createCodes } from './draft-codes.ts';
import { createNumericLeaks } from './draft-leaks.ts';

/** What can be seen of the rows once their columns are known. */
export type SecondLook = {
  /** Columns of whole numbers that are codes. */
  readonly codes: ReadonlySet<string>;
  readonly doubts: readonly string[];
};

/**
 * Looks at the first rows of a file again: at what their columns say of the label.
 *
 * @param file with the rows of it that were looked at
 */
export async function lookAgain(
  file: { readonly name: string; readonly bytes: ByteSource; readonly rows: number },
  columns: readonly Column[],
  [label, ...others]: readonly [Column, ...Column[]],
  task: Task,
): Promise<SecondLook> {
  const leaks = createNumericLeaks(columns, [label, ...others]);
  const codes = createCodes(columns, label, task === 'regression');
  const order = createOrder(label, task);
  let left = file.rows;
  for await (const chunk of readRows({ ...file, columns: 'all' })) {
    for (const row of [...chunk.rows].slice(0, left)) {
      const own = flat(asNumbers(row, chunk.rows));
      for (const look of [leaks, codes, order]) look.add(own);
    }
    left -= chunk.rows.length;
    if (left <= 0) break;
  }
  return { codes: codes.found(), doubts: [...leaks.found(), ...order.found()] };
}

function asNumbers(row: Row, rows: DecimalTable): Row {
  if (!rows.hasDecimalComma) return row;
  const cells = Object.entries(row).map(([name, cell]) => [name, withDecimalPoint(cell, rows)]);
  return Object.fromEntries(cells);
}

/** Fewer rows may be in order by chance. */
const enoughRows = 20;

/** A class of fewer rows says nothing of their order. */
const fewRows = 5;
/** More values than this are no classes. */
const mostClasses = 100;

/** Whether rows are sorted by their label: a model would learn one class after the other. */
function createOrder({ name, values: labels }: Column, task: Task) {
  const { number, text } = cellsOf(cellsSchema.parse({}));
  const values = new Set<string | number>();
  let last: string | number | undefined;
  let [rows, changes, ups, downs] = [0, 0, 0, 0];
  return {
    add(row: Row): void {
      const value = task === 'regression' ? number(row[name]) : text(row[name]);
      if (value === undefined) return;
      rows += 1;
      if (values.size <= mostClasses) values.add(value);
      if (last !== undefined && value !== last) {
        changes += 1;
        if (value > last) ups += 1;
        else downs += 1;
      }
      last = value;
    },
    found(): readonly string[] {
      const isInClasses =
        values.size <= mostClasses && changes < values.size && rows >= enoughRows * values.size;
      const isInOrder =
        task === 'regression' && changes >= enoughRows && Math.min(ups, downs) === 0;
      // (A last row of a class of its own is no order.)
      const rarest = [...labels.values()].reduce((a, b) => Math.min(a, b), rows);
      if (!isInOrder && rarest < fewRows) return [];
      if (changes === 0 || !(isInClasses || isInOrder)) return [];
      return [
        `label: the rows are sorted by ${name}; a model learns them in their order, and would know ` +
          'the last ones best: unless they came so, shuffle the file before it is sent',
      ];
    },
  };
}
