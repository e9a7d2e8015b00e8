import { z } from 'zod';
import { limits } from '../../limits.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import type { Cells } from '../cells.ts';
import { hashText } from '../hash.ts';
import { columnName, type FeatureBehaviour, type WriteValue } from './kind.ts';

/** Names of the features whose values are taken together. */
export const crossedNames = z
  .array(columnName)
  .min(1)
  .max(8)
  .refine((names) => new Set(names).size === names.length, 'names must be distinct')
  .describe('the features whose values are taken together; it has no value of its own');

/** Several features taken as one category: hour and airport, say. */
export const crossSchema = strictObject({
  type: z.literal('cross'),
  of: crossedNames,
  buckets: z.int().min(2).max(limits.categoryValues).default(4_096).describe('hash buckets'),
  dimensions: z.int().min(1).max(1_024).default(8).describe('of its embedding'),
});

/** How a cross behaves: one column of indices, and a table of embeddings. */
export function crossBehaviour(
  { of, buckets, dimensions }: z.output<typeof crossSchema>,
  cells: Cells,
): FeatureBehaviour {
  return {
    width: { numbers: 0, categories: 1 },
    isStandardized: false,
    of,
    writer: ({ categoryOffset, row: { categories } }) =>
      crossedWriter(cells, buckets, (index, into, row) => {
        into.categories[row * categories + categoryOffset] = index;
      }),
    readCell: (cell) => cell,
    input: { kind: 'table', rows: buckets, dimensions },
  };
}

/** What stands between the texts of crossed values: the unit separator of ASCII. */
const separator = '\u001f';

/**
 * Writes the bucket of several values together: the hash of their texts.
 *
 * @param put writes the bucket into a row
 */
export function crossedWriter(
  cells: Cells,
  buckets: number,
  put: (index: number, into: Parameters<WriteValue>[1], row: number) => void,
): WriteValue {
  return (values, into, row) => {
    const texts = (values as readonly unknown[]).map(cells.text);
    const wrong = texts.indexOf(undefined);
    if (wrong >= 0) {
      const found = show((values as readonly unknown[])[wrong]);
      return refuse('wrong-type', `crosses a value that is no text or number (found ${found})`);
    }
    put(hashText(texts.join(separator)) % buckets, into, row);
    return accepted;
  };
}
