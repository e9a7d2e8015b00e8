import { AnswerMemory } from './answer-memory.ts';
import type { CellColumn, FoundColumns, RowRange, Samples } from './cell-table.ts';
import { type Declaration, layoutOf } from './columns.ts';
import { writtenFeatures } from './features-writer.ts';
import { PairCache } from './pair-cache.ts';
import { rolesOf } from './roles.ts';
import { sampleColumns } from './sample-columns.ts';
import { weightColumn } from './sample-parts.ts';
import type { EncodedSamples } from './samples.ts';

/**
 * Writes samples column by column, where a cell that comes again is not read again. It refuses
 * none: those that are left must be encoded one by one, which says what comes of them.
 */
export type TableWriter = (
  samples: Samples,
  rows: RowRange,
  into: EncodedSamples,
  beforeEach: () => void,
) => WrittenRows | undefined;

/** Rows that were written, and others. */
export type WrittenRows = {
  /** Of each row, 0 if it was written. */
  readonly left: Uint8Array;
  /** The class of a row that was written, where classes get places as they come. */
  readonly nameAt: (row: number) => string | undefined;
};

/** After some rows, more answers than these are forgotten. */
const mostAnswers = 32_768;

/** Of fewer samples, columns cost more than they spare. */
const fewestSamples = 16;

/** The writer of a declaration; undefined where samples are only read one by one. */
export function tableWriter(declaration: Declaration): TableWriter | undefined {
  if (declaration.cells === undefined || declaration.label.outputs !== undefined) return undefined;
  const { taken } = writtenFeatures(declaration);
  const { categoryCount } = layoutOf(declaration);
  const { features, label, weight } = rolesOf(declaration);
  const roles = [...features, label, weight];
  const own = new Set([...features, label].map(({ column }) => column));
  const columnsOfSamples = sampleColumns(declaration);
  const begin = (kind: CellColumn['kind']) => ({
    kind,
    memories: roles.map((role) => new AnswerMemory(role)),
    crossed: taken.map(({ from }) =>
      from.length > 2 ? undefined : new PairCache(taken.length > 16 ? 10 : 13),
    ),
  });
  let kept: ReturnType<typeof begin> | undefined;
  const memoryOf = (kind: CellColumn['kind']) => {
    const size = kept?.memories.reduce((sum, each) => sum + each.size, 0) ?? 0;
    if (kept?.kind !== kind || size > mostAnswers) kept = begin(kind);
    return kept;
  };

  /** The columns of rows by role: undefined where there is none of that name. */
  const columnsOf: TableColumns = (samples, rows, beforeEach) => {
    const { column } = samples;
    if (column === undefined)
      return rows.count < fewestSamples ? undefined : columnsOfSamples(samples, rows, beforeEach);
    // There a row may be a sample as it is.
    if (!own.has('features') && column('features') !== undefined) return undefined;
    const columns = [...features, label].map((role) => column(role.column));
    const weights = own.has(weightColumn) ? undefined : column(weightColumn);
    return { columns: [...columns, weights], left: new Uint8Array(rows.count), start: rows.start };
  };

  return (samples, rows, into, beforeEach) => {
    const found = columnsOf(samples, rows, beforeEach);
    if (found === undefined) return undefined;
    const { columns, left, start } = found;
    const kind = columns.find((each) => each !== undefined)?.kind ?? 'values';
    const { memories, crossed } = memoryOf(kind);
    const { count } = rows;
    const writing = { rows: { start, count }, into, left };
    memories.forEach((memory, place) => {
      if (columns[place] === undefined && place === memories.length - 1) into.weights.fill(1);
      else memory.write(columns[place], writing);
    });
    taken.forEach(({ from, write, offsets }, at) => {
      const sources = from.flatMap((place) => memories[place] ?? []);
      const [first = none, second = none] = sources.map(({ ofRows }) => ofRows);
      const known = crossed[at];
      const textsAt = (row: number) => sources.map((source) => source.textAt(row) ?? '');
      for (let row = 0; row < count; row++) {
        if (left[row] !== 0) continue;
        const place = row * categoryCount + offsets.categoryOffset;
        const a = first[row] ?? 0;
        const b = second[row] ?? 0;
        const before = known?.get(a, b) ?? -1;
        if (before >= 0) into.categories[place] = before;
        else {
          write(textsAt(row), into, row);
          known?.set(a, b, into.categories[place] ?? 0);
        }
      }
    });
    return { left, nameAt: (row) => memories[features.length]?.textAt(row) };
  };
}

/** The columns of rows, in the order of roles, and the rows that are left from the start. */
type TableColumns = (
  samples: Samples,
  rows: RowRange,
  beforeEach: () => void,
) => FoundColumns | undefined;

const none = new Int32Array(0);
