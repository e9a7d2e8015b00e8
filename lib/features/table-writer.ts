import { AnswerMemory, type Role } from './answer-memory.ts';
import type { CellColumn, CellTable } from './cell-table.ts';
import { cellsOfSpec, type Declaration, layoutOf } from './columns.ts';
import { writtenFeatures } from './features-writer.ts';
import { labelReader } from './label.ts';
import { labelWriter, weightColumn, weightWriter } from './sample-parts.ts';
import type { EncodedSamples } from './samples.ts';

/** Rows of a table: so many, from one on. */
export type RowRange = { readonly start: number; readonly count: number };

/**
 * Writes the rows of a table column by column, where a cell that comes again is not read again. It
 * refuses no row: those that are left must be encoded as samples, which says what comes of them.
 */
export type TableWriter = (
  table: Partial<CellTable>,
  rows: RowRange,
  into: EncodedSamples,
) => WrittenRows | undefined;

/** Rows that were written, and others. */
export type WrittenRows = {
  /** Of each row, 0 if it was written. */
  readonly left: Uint8Array;
  /** The class of a row that was written, where classes get places as they come. */
  readonly nameAt: (row: number) => string | undefined;
};

/** After a block of rows, more answers than these are forgotten. */
const mostAnswers = 32_768;

/** The writer of a declaration; undefined where rows are only read as samples. */
export function tableWriter(declaration: Declaration): TableWriter | undefined {
  if (declaration.cells === undefined || declaration.label.outputs !== undefined) return undefined;
  const { taken } = writtenFeatures(declaration);
  const { categoryCount } = layoutOf(declaration);
  const roles = rolesOf(declaration);
  const labelPlace = roles.length - 1;
  const columns = new Set(roles.map(({ column }) => column));
  const hasWeights = !columns.has(weightColumn);
  const begin = (kind: CellColumn['kind'] | undefined) => ({
    kind,
    memories: [...roles, ...(hasWeights ? [weightRole(declaration)] : [])].map(
      (role) => new AnswerMemory(role),
    ),
    crossed: taken.map(({ from }) => (from.length <= 2 ? new PairCache() : undefined)),
  });
  let kept = begin(undefined);
  return ({ column: columnOf }, rows, into) => {
    if (columnOf === undefined) return undefined;
    // There a row may be a sample as it is.
    if (!columns.has('features') && columnOf('features') !== undefined) return undefined;
    const kind = kindOf(roles, columnOf);
    const isFull = kept.memories.some(({ size }) => size > mostAnswers);
    if (isFull || kept.kind !== kind) kept = begin(kind);
    const { memories, crossed } = kept;
    const left = new Uint8Array(rows.count);
    if (hasWeights && columnOf(weightColumn) === undefined) into.weights.fill(1);
    for (const memory of memories) {
      const column = columnOf(memory.column);
      const hasNone = column === undefined && memory.column === weightColumn && hasWeights;
      if (!hasNone) memory.write(column, { rows, into, left });
    }
    taken.forEach(({ from, write, offsets }, at) => {
      const sources = from.flatMap((place) => memories[place] ?? []);
      const [first = none, second = none] = sources.map(({ ofRows }) => ofRows);
      const known = crossed[at];
      const textsAt = (row: number) => sources.map((source) => source.textAt(row) ?? '');
      for (let row = 0; row < rows.count; row++) {
        if (left[row] !== 0) continue;
        const place = row * categoryCount + offsets.categoryOffset;
        const a = first[row] ?? 0;
        const b = second[row] ?? 0;
        const found = known?.get(a, b) ?? -1;
        if (found >= 0) into.categories[place] = found;
        else {
          write(textsAt(row), into, row);
          known?.set(a, b, into.categories[place] ?? 0);
        }
      }
    });
    return { left, nameAt: (row) => memories[labelPlace]?.textAt(row) };
  };
}

/** Whether cells are texts or values. */
function kindOf(roles: readonly Role[], columnOf: CellTable['column']) {
  for (const { column } of roles) {
    const found = columnOf(column);
    if (found !== undefined) return found.kind;
  }
  return undefined;
}

/** What columns of a dataset are written into: those of features, in order, and the label. */
function rolesOf(declaration: Declaration): readonly Role[] {
  const cells = cellsOfSpec(declaration);
  const { numberWidth, categoryCount } = layoutOf(declaration);
  const { features: declared, label, task, cells: words } = declaration;
  const features = writtenFeatures(declaration);
  // What is missing is told by its text.
  const areNumbers = words?.missing.every((word) => cells.number(word) === undefined) ?? false;
  const own = features.sent.map((feature, place): Role => {
    const { name, column, offsets, width, write } = feature;
    return {
      column,
      takesNumbers: areNumbers && declared[name]?.type === 'number',
      isSource: features.isSource[place] ?? false,
      write(cell, into, row) {
        const value = features.valueFor(feature, cell);
        return value !== undefined && write(value, into, row).ok;
      },
      textOf: (cell) => features.textOf(feature, features.valueFor(feature, cell)),
      parts: [
        {
          of: ({ raw }: EncodedSamples) => raw,
          stride: numberWidth,
          offset: offsets.numberOffset,
          width: width.numbers,
        },
        {
          of: (samples: EncodedSamples) => samples.categories,
          stride: categoryCount,
          offset: offsets.categoryOffset,
          width: width.categories,
        },
      ].filter((part) => part.width > 0),
    };
  });
  const writeLabel = labelWriter(declaration);
  const { nameOf } = labelReader(declaration);
  return [
    ...own,
    {
      column: label.column ?? label.name,
      takesNumbers: areNumbers && task === 'regression',
      isSource: nameOf !== undefined,
      write: (cell, into, row) => writeLabel({ label: cell }, into, row).ok,
      textOf: (cell) => nameOf?.(cell),
      parts: [{ of: ({ labels }) => labels, stride: 1, offset: 0, width: 1 }],
    },
  ];
}

function weightRole(declaration: Declaration): Role {
  const write = weightWriter(declaration);
  return {
    column: weightColumn,
    takesNumbers: false,
    isSource: false,
    write: (cell, into, row) => write({ weight: cell }, into, row).ok,
    textOf: () => undefined,
    parts: [{ of: ({ weights }) => weights, stride: 1, offset: 0, width: 1 }],
  };
}

const none = new Int32Array(0);

/** 2¹³, of 32 bits all but the last 19. */
const pairSlots = 8_192;

/** What came of pairs of small integers; one that comes is kept in the place of another. */
class PairCache {
  readonly #first = new Int32Array(pairSlots).fill(-1);
  readonly #second = new Int32Array(pairSlots);
  readonly #values = new Int32Array(pairSlots);

  /** −1 if nothing is kept of a pair. */
  get(first: number, second: number): number {
    const slot = slotOf(first, second);
    const isKept = this.#first[slot] === first && this.#second[slot] === second;
    return isKept ? (this.#values[slot] ?? -1) : -1;
  }

  set(first: number, second: number, value: number): void {
    const slot = slotOf(first, second);
    this.#first[slot] = first;
    this.#second[slot] = second;
    this.#values[slot] = value;
  }
}

function slotOf(first: number, second: number): number {
  return (Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)) >>> 19;
}
