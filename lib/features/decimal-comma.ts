import type { Declaration } from './columns.ts';

/** Where a declaration takes a text such as 1,5 for 1.5, of tables that write numbers so. */
export type DecimalCells = {
  readonly ofFeature: (name: string) => boolean;
  readonly ofLabel: boolean;
  readonly ofId: boolean;
};

/** Features of numbers. */
const numeric: ReadonlySet<string | undefined> = new Set([
  'number',
  'vector',
  'image',
  'timestamp',
]);

/**
 * Where numbers are wanted. (Before revision 13 everywhere: a version 1,10 and a version 1,1 are
 * other texts, which messages have as they are.)
 */
export function decimalCells({
  features,
  task,
  revision = 0,
  cells,
}: Pick<Declaration, 'features' | 'task' | 'revision' | 'cells'>): DecimalCells {
  // A spec may say itself how its numbers are written.
  if (cells?.numbers !== undefined) return { ofFeature: () => false, ofLabel: false, ofId: false };
  const isEverywhere = revision < 13;
  return {
    ofFeature: (name) => isEverywhere || numeric.has(features[name]?.type),
    ofLabel: isEverywhere || task !== 'multiclass',
    ofId: isEverywhere,
  };
}

/** Rows or columns in which a comma may be the decimal point. */
export type DecimalTable = { readonly hasDecimalComma?: boolean };

/** A cell of a table, where a number is wanted: one with a decimal comma has its point. */
export function withDecimalPoint(cell: unknown, { hasDecimalComma }: DecimalTable): unknown {
  const isDecimal = hasDecimalComma === true && typeof cell === 'string' && decimal.test(cell);
  return isDecimal ? cell.replace(',', '.') : cell;
}

const decimal = /^[+-]?\d+,\d+(e[+-]?\d+)?$/i;
