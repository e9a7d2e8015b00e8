import { readNumber } from '../features/cells.ts';
import { columnsOf, type Declaration } from '../features/columns.ts';
import { labelReader } from '../features/label.ts';
import type { Row } from './formats/format.ts';

/**
 * A row as a sample: the columns named like the features and the label, and `weight` where there is such a
 * column; other columns are passed over. A row that has `features` is a sample already. Texts of CSV become
 * what the spec declares; what cannot is left as it is, and refused by the encoder with its reason.
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
