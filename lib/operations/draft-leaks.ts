import type { Row } from '../features/cell-table.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import type { Column } from './column-profile.ts';
import { mostlyNumbers } from './draft-feature.ts';

/** Columns that know the label: their values and the label's go together one to one. */
export function leaks(columns: readonly Column[], labels: readonly Column[]): readonly string[] {
  const shapeOf = ({ values }: Column) => [...values.values()].sort((a, b) => a - b).join();
  const shapes = labels.map(shapeOf);
  return columns.flatMap((column) => {
    if (column.values.size <= 1 || column.values.size >= 0.5 * column.present) return [];
    const label = labels[shapes.indexOf(shapeOf(column))];
    return label === undefined
      ? []
      : [`${column.name} may tell the label: its values are as frequent as those of ${label.name}`];
  });
}

/** A column whose correlation with the label is larger may be made of it. */
const largestCorrelation = 0.9999;
/** Of fewer rows a correlation says nothing. */
const enoughRows = 20;

/** Looks for columns of numbers that go up and down with a label: a copy, a share, a fee of it. */
export function createNumericLeaks(columns: readonly Column[], labels: readonly Column[]) {
  const isNumeric = ({ numbers, present }: Column) => numbers > mostlyNumbers * present;
  const pairs = labels.filter(isNumeric).flatMap((label) =>
    columns.filter(isNumeric).map(({ name }) => ({
      name,
      label: label.name,
      sum: createCorrelation(),
    })),
  );
  const { number } = cellsOf(cellsSchema.parse({}));
  const named = new Set(pairs.flatMap(({ name, label }) => [name, label]));
  return {
    add(row: Row): void {
      const values = new Map([...named].map((name) => [name, number(row[name])]));
      for (const { name, label, sum } of pairs) {
        const [x, y] = [values.get(name), values.get(label)];
        if (x !== undefined && y !== undefined) sum.add(x, y);
      }
    },
    found: (): readonly string[] =>
      pairs.flatMap(({ name, label, sum }) =>
        Math.abs(sum.value()) > largestCorrelation
          ? [`${name} may tell the label: it goes up and down with ${label}, as if made of it`]
          : [],
      ),
  };
}

/** Pearson's correlation of pairs, by Welford's running means. */
function createCorrelation() {
  let [count, meanX, meanY, squaresX, squaresY, products] = [0, 0, 0, 0, 0, 0];
  return {
    add(x: number, y: number): void {
      count += 1;
      const [fromX, fromY] = [x - meanX, y - meanY];
      meanX += fromX / count;
      meanY += fromY / count;
      squaresX += fromX * (x - meanX);
      squaresY += fromY * (y - meanY);
      products += fromX * (y - meanY);
    },
    value: () => (count < enoughRows ? 0 : products / Math.sqrt(squaresX * squaresY)),
  };
}
