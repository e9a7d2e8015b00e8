import type { Row } from '../features/cell-table.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { timeOf } from '../features/kinds/timestamp.ts';
import type { Column } from './column-profile.ts';
import { isTime, shiftOf } from './draft-times.ts';

/** Cycles of times of which a file says soon whether classes differ by them. */
export type Cycle = 'hour' | 'weekday';

/** Of fewer rows nothing is said. */
const enoughRows = 300;
/** More classes than this have too few rows each. */
const mostClasses = 100;
/** Deviations from what chance would make of it: one in a hundred is further. */
const leastCertainty = 2.326;

const cells = cellsOf(cellsSchema.parse({}));
const hourMs = 3_600_000;
const cycles: readonly { readonly cycle: Cycle; readonly of: (time: number) => number }[] = [
  { cycle: 'hour', of: (time) => Math.floor(time / hourMs) % 24 },
  { cycle: 'weekday', of: (time) => Math.floor(time / (24 * hourMs)) % 7 },
];

/**
 * Finds cycles of times by which classes do not differ: numbers of which nothing can be learnt cost
 * a model of few samples dearly, above all those of which it has seen a part of the circle alone.
 */
export function createCycles(columns: readonly Column[], label: Column) {
  const candidates = columns.filter(isTime).map((column) => ({
    name: column.name,
    shift: shiftOf(column),
    tables: cycles.map(({ cycle, of }) => ({ cycle, of, table: createTable() })),
  }));
  return {
    add(row: Row): void {
      const own = cells.text(row[label.name]);
      if (own === undefined) return;
      for (const { name, shift, tables } of candidates) {
        const time = timeOf(row[name], cells);
        if (time !== undefined)
          for (const { of, table } of tables) table.add(of(time + shift), own);
      }
    },
    /** Such cycles, by the names of their columns. */
    found: (): ReadonlyMap<string, ReadonlySet<Cycle>> =>
      new Map(
        candidates.map(({ name, tables }) => [
          name,
          new Set(tables.filter(({ table }) => table.isByChance()).map(({ cycle }) => cycle)),
        ]),
      ),
  };
}

/** Counts how often each class came at each place of a cycle. */
function createTable() {
  const counts = new Map<number, Map<string, number>>();
  const classes = new Map<string, number>();
  let rows = 0;
  return {
    add(place: number, own: string): void {
      const atPlace = counts.get(place) ?? new Map<string, number>();
      counts.set(place, atPlace.set(own, (atPlace.get(own) ?? 0) + 1));
      classes.set(own, (classes.get(own) ?? 0) + 1);
      rows += 1;
    },
    /** Whether chance would often make the classes differ as much by place (Pearson 1900). */
    isByChance(): boolean {
      if (rows < enoughRows || classes.size > mostClasses) return false;
      const freedom = (counts.size - 1) * (classes.size - 1);
      let sum = 0;
      for (const atPlace of counts.values()) {
        const own = [...atPlace.values()].reduce((total, count) => total + count, 0);
        for (const [name, count] of classes) {
          const expected = (own * count) / rows;
          sum += ((atPlace.get(name) ?? 0) - expected) ** 2 / expected;
        }
      }
      return freedom === 0 || certaintyOf(sum, freedom) < leastCertainty;
    },
  };
}

/** How many deviations of a normal number a sum of χ² is off (Wilson and Hilferty 1931). */
function certaintyOf(sum: number, freedom: number): number {
  const variance = 2 / (9 * freedom);
  return (Math.cbrt(sum / freedom) - (1 - variance)) / Math.sqrt(variance);
}
