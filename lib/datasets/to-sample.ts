import { readNumber } from '../features/cells.ts';
import { columnsOf, type Declaration } from '../features/columns.ts';
import { labelReader } from '../features/label.ts';
import type { Row } from './formats/format.ts';

/**
 * Turns a row into a sample. It takes the columns that are named like the features and the label,
 * and `weight` if there is such a column; it passes over the others. A row that has `features`
 * already is a sample. Texts of CSV become the values that the spec declares. A text that cannot is
 * left unchanged, and the encoder refuses it with its reason.
 */
export function rowToSample(declaration: Declaration): (row: Row) => unknown {
  const columns = columnsOf(declaration).map(({ name, behaviour }) => ({
    name,
    read: behaviour.readCell,
  }));
  const { readCell: readLabel } = labelReader(declaration);
  return (row) => {
    if (typeof row.features === 'object' && row.features !== null) return row;
    return {
      features: Object.fromEntries(
        columns.flatMap(({ name, read }) =>
          row[name] === undefined || row[name] === null ? [] : [[name, read(row[name])]],
        ),
      ),
      label: readLabel(row[declaration.label.name]),
      ...(row.weight === undefined || Object.hasOwn(declaration.features, 'weight')
        ? {}
        : { weight: readNumber(row.weight) }),
    };
  };
}
