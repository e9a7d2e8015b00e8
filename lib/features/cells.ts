import { limits } from '../limits.ts';

/**
 * Whether a value is a number that stays finite when it is rounded to float32 (3.5e38 does not).
 */
export function isFloat32(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(Math.fround(value));
}

/** The number in a dataset's cell; any other cell is left unchanged. */
export function readNumber(cell: unknown): unknown {
  if (typeof cell === 'bigint') return Number(cell);
  return typeof cell === 'string' && cell.trim() !== '' ? Number(cell) : cell;
}

/** The text of a category's or a class' value; undefined if the value cannot be one. */
export function categoryText(value: unknown): string | undefined {
  if (typeof value === 'string') {
    return value.length > 0 && value.length <= limits.categoryCharacters ? value : undefined;
  }
  return typeof value === 'boolean' || Number.isSafeInteger(value) ? String(value) : undefined;
}

/** A number as the journal keeps it: JSON has no −0, and the same sample must be learnt again. */
export function withoutSign(value: number): number {
  return value === 0 ? 0 : value;
}
