import { cellsOfSpec } from '../features/columns.ts';
import { timeOf } from '../features/kinds/timestamp.ts';
import { isRecord } from '../parse.ts';
import type { Spec } from '../spec/spec.ts';
import { isHeldOut } from './order.ts';
import type { SampleChunk } from './tally.ts';

/** A row of a chunk: its place among all rows of the source, and in the chunk. */
export type SplitRow = { readonly row: number; readonly index: number };

/**
 * Whether a row is held out: drawn by its number; or because of what it says in a column, or the
 * file that it is in. It follows from the spec and the row alone.
 */
export function heldOutRule(spec: Spec): (chunk: SampleChunk, at: SplitRow) => boolean {
  const { seed, batch } = spec;
  const { validation } = batch;
  if (typeof validation === 'number') return (_chunk, { row }) => isHeldOut(seed, row, validation);
  if ('files' in validation) {
    const pattern = patternOf(validation.files);
    return ({ placeOf }, { index }) => {
      const file = placeOf?.(index).file ?? '';
      return pattern.test(file.replace(/^datasets\/[^/]+\//, ''));
    };
  }
  const { column, from } = validation;
  const cells = cellsOfSpec(spec);
  const isNumber = typeof from === 'number';
  const read = (cell: unknown) => (isNumber ? cells.number(cell) : timeOf(cell, cells));
  const least = read(from) ?? Number.POSITIVE_INFINITY;
  return (chunk, { index }) => {
    const value = read(cellOf(chunk, index, column));
    return value !== undefined && value >= least;
  };
}

/** A cell of a row, or of the features of the sample that it is. */
function cellOf({ rows, samples }: SampleChunk, index: number, column: string): unknown {
  const row = rows?.[index];
  if (row !== undefined && Object.hasOwn(row, column)) return row[column];
  const sample = samples[index];
  const features = isRecord(sample) ? sample.features : undefined;
  return isRecord(features) && Object.hasOwn(features, column) ? features[column] : undefined;
}

/** A name in which `*` stands for any characters. */
function patternOf(name: string): RegExp {
  const parts = name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
