import { AnswerMemory, type Writing } from './answer-memory.ts';
import type { CellColumn, FoundColumns, RowRange, Samples } from './cell-table.ts';
import type { Declaration } from './columns.ts';
import type { WrittenFeatures } from './features-writer.ts';
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

/** Of more cells, most of which may be missing, columns take too much memory. */
const mostCells = 2 ** 22;

/** The writer of a declaration; undefined where samples are only read one by one. */
export function tableWriter(
  declaration: Declaration,
  written: WrittenFeatures,
): TableWriter | undefined {
  if (declaration.cells === undefined || declaration.label.outputs !== undefined) return undefined;
  const { taken } = written;
  const { features, label, weight } = rolesOf(declaration, written);
  const roles = [...features, label, weight];
  const own = new Set([...features, label].map(({ column }) => column));
  const columnsOfSamples = sampleColumns(declaration, written);
  const begin = (kinds: string) => ({
    kinds,
    memories: roles.map((role) => new AnswerMemory(role)),
    crossed: taken.map(({ from }) =>
      from.length > 2 ? undefined : new PairCache(taken.length > 16 ? 10 : 13),
    ),
  });
  let kept: ReturnType<typeof begin> | undefined;
  const memoryOf = (columns: FoundColumns['columns']) => {
    const kinds = columns.map(kindOf).join();
    const size = kept?.memories.reduce((sum, each) => sum + each.size, 0) ?? 0;
    if (kept?.kinds !== kinds || size > mostAnswers) kept = begin(kinds);
    return kept;
  };

  /** The columns of rows by role: undefined where there is none of that name. */
  const columnsOf: TableColumns = (samples, rows, beforeEach) => {
    const { column } = samples;
    if (column === undefined) {
      const isTable = rows.count >= fewestSamples && rows.count * roles.length <= mostCells;
      return isTable ? columnsOfSamples(samples, rows, beforeEach) : undefined;
    }
    // There a row may be a sample as it is.
    if (!own.has('features') && column('features') !== undefined) return undefined;
    const columns = [...features, label].map((role) => column(role.column));
    if (features.length > 0 && columns.slice(0, -1).every((each) => each === undefined))
      return undefined;
    const weights = own.has(weightColumn) ? undefined : column(weightColumn);
    return { columns: [...columns, weights], left: new Uint8Array(rows.count), start: rows.start };
  };

  return (samples, rows, into, beforeEach) => {
    const found = columnsOf(samples, rows, beforeEach);
    if (found === undefined) return undefined;
    const { columns, left, start } = found;
    const { memories, crossed } = memoryOf(columns);
    const { count } = rows;
    const writing = { rows: { start, count }, into, left, beforeEach };
    memories.forEach((each, place) => {
      if (columns[place] === undefined && place === memories.length - 1) into.weights.fill(1);
      else each.write(columns[place], writing);
    });
    taken.forEach((each, at) => {
      // (A lag of all samples is taken from none of their cells.)
      if (each.from.length > 0) writeTaken(each, memories, crossed[at], writing);
    });
    return { left, nameAt: (row) => memories[features.length]?.textAt(row) };
  };
}

/** Writes a feature that is taken from others, whose cells are written. */
function writeTaken(
  { from, write, offsets }: WrittenFeatures['taken'][number],
  memories: readonly AnswerMemory[],
  known: PairCache | undefined,
  { rows: { count }, into, left }: Writing,
): void {
  const { categoryOffset, row: width } = offsets;
  const sources = from.flatMap((place) => memories[place] ?? []);
  const [first = none, second = none] = sources.map(({ ofRows }) => ofRows);
  const textsAt = (row: number) => sources.map((source) => source.textAt(row) ?? '');
  for (let row = 0; row < count; row++) {
    if (left[row] !== 0) continue;
    const place = row * width.categories + categoryOffset;
    const a = first[row] ?? 0;
    const b = second[row] ?? 0;
    const before = known?.get(a, b) ?? -1;
    if (before >= 0) into.categories[place] = before;
    else {
      write(textsAt(row), into, row);
      known?.set(a, b, into.categories[place] ?? 0);
    }
  }
}

/** What a column's cells are: what comes of them must not be mixed up. */
function kindOf(column: CellColumn | undefined): string {
  if (column === undefined) return 'none';
  if (column.kind !== 'text') return 'values';
  return column.hasDecimalComma ? 'text with decimal commas' : 'text';
}

/** The columns of rows, in the order of roles, and the rows that are left from the start. */
type TableColumns = (
  samples: Samples,
  rows: RowRange,
  beforeEach: () => void,
) => FoundColumns | undefined;

const none = new Int32Array(0);
