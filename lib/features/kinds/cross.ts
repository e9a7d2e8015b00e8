import { z } from 'zod';
import { limits } from '../../limits.ts';
import { strictObject } from '../../parse.ts';
import { accepted } from '../../refusal.ts';
import { hashTexts } from '../hash.ts';
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
export function crossBehaviour({
  of,
  buckets,
  dimensions,
}: z.output<typeof crossSchema>): FeatureBehaviour {
  return {
    width: { numbers: 0, categories: 1 },
    isStandardized: false,
    of,
    writer: ({ categoryOffset, row: { categories } }) =>
      crossedWriter(buckets, (index, into, row) => {
        into.categories[row * categories + categoryOffset] = index;
      }),
    readCell: (cell) => cell,
    input: { kind: 'table', rows: buckets, dimensions },
  };
}

/** What stands between the texts of crossed values: the unit separator of ASCII. */
const separator = '\u001f';

/**
 * Writes the bucket of several values together: the hash of their texts, which are what is written.
 *
 * @param put writes the bucket into a row
 */
export function crossedWriter(
  buckets: number,
  put: (index: number, into: Parameters<WriteValue>[1], row: number) => void,
): WriteValue {
  return (texts, into, row) => {
    put(hashTexts(texts as readonly string[], separator) % buckets, into, row);
    return accepted;
  };
}
