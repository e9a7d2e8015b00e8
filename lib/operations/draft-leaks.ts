import type { ByteSource } from '../datasets/byte-source.ts';
import { readRows } from '../datasets/rows.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { type Column, draftRows, flat } from './column-profile.ts';
import { mostlyNumbers } from './draft-feature.ts';

/** Columns that know the label: their values and the label's go together one to one. */
export function leaks(columns: ReadonlyMap<string, Column>, label: Column): readonly string[] {
  const shape = [...label.values.values()].sort((a, b) => a - b).join();
  return [...columns.values()].flatMap((column) =>
    column !== label &&
    column.values.size > 1 &&
    column.values.size < 0.5 * column.present &&
    [...column.values.values()].sort((a, b) => a - b).join() === shape
      ? [`${column.name} may tell the label: its values are as frequent as those of ${label.name}`]
      : [],
  );
}

/** A column whose correlation with the label is larger may be made of it. */
const largestCorrelation = 0.9999;
/** Of fewer rows a correlation says nothing. */
const enoughRows = 20;

/** Columns of numbers that go up and down with a label of numbers: a copy, a share, a fee of it. */
export async function numericLeaks(
  file: { readonly name: string; readonly bytes: ByteSource },
  columns: ReadonlyMap<string, Column>,
  label: Column,
): Promise<readonly string[]> {
  const isNumeric = ({ numbers, present }: Column) => numbers > mostlyNumbers * present;
  const others = [...columns.values()].filter((column) => column !== label && isNumeric(column));
  if (!isNumeric(label) || others.length === 0) return [];
  const { number } = cellsOf(cellsSchema.parse({}));
  const sums = new Map(others.map(({ name }) => [name, createCorrelation()]));
  let rows = 0;
  for await (const chunk of readRows({ ...file, columns: 'all' })) {
    for (const row of chunk.rows.slice(0, draftRows - rows).map(flat)) {
      const y = number(row[label.name]);
      if (y === undefined) continue;
      for (const [name, sum] of sums) {
        const x = number(row[name]);
        if (x !== undefined) sum.add(x, y);
      }
    }
    rows += chunk.rows.length;
    if (rows >= draftRows) break;
  }
  return [...sums].flatMap(([name, sum]) =>
    Math.abs(sum.value()) > largestCorrelation
      ? [`${name} may tell the label: it goes up and down with ${label.name}, as if made of it`]
      : [],
  );
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
