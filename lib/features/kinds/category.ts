import { z } from 'zod';
import { limits } from '../../limits.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import type { Cells } from '../cells.ts';
import { hashText } from '../hash.ts';
import { columnName, type FeatureBehaviour } from './kind.ts';

/**
 * A text, integer or boolean out of a set. With `values` each known value has an index, and index 0
 * stands for all others. With `buckets` the value's hash is its index. `dimensions` is the width of
 * its embedding.
 */
export const categorySchema = strictObject({
  type: z.literal('category'),
  values: z
    .array(z.string().min(1).max(limits.categoryCharacters))
    .min(1)
    .max(limits.categoryValues)
    .refine((values) => new Set(values).size === values.length, 'values must be distinct')
    .optional()
    .describe('its known values; all others are learnt as one'),
  buckets: z
    .int()
    .min(2)
    .max(limits.categoryValues)
    .optional()
    .describe('hash buckets, where its values are not known'),
  dimensions: z.int().min(1).max(1_024).default(8).describe('of its embedding'),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .string()
    .min(1)
    .max(limits.categoryCharacters)
    .optional()
    .describe('stands for a missing value; a sample without one is refused unless given'),
}).refine((feature) => (feature.values === undefined) !== (feature.buckets === undefined), {
  message:
    'a category needs either values (its known values) or buckets (a number of hash buckets)',
});

/** How a category behaves: one column of indices, and a table of embeddings. */
export function categoryBehaviour(
  feature: z.output<typeof categorySchema>,
  cells: Cells,
): FeatureBehaviour {
  const { values, buckets = 0, dimensions, missing } = feature;
  const rows = values === undefined ? buckets : values.length + 1;
  const known = new Map(values?.map((value, index) => [cells.text(value) ?? value, index + 1]));
  const indexOf = (text: string) =>
    values === undefined ? hashText(text) % rows : (known.get(text) ?? 0);
  return {
    width: { numbers: 0, categories: 1 },
    isStandardized: false,
    missing,
    knows: (cell) => known.has(cells.text(cell) ?? ''),
    ...(values === undefined ? {} : { unknownIndex: 0 }),
    writer({ categoryOffset, row: { categories } }) {
      return (value, into, row) => {
        const text = cells.text(value);
        if (text === undefined) {
          const reason = `must be a text, a number or a boolean (found ${show(value)})`;
          return refuse('wrong-type', reason);
        }
        into.categories[row * categories + categoryOffset] = indexOf(text);
        return accepted;
      };
    },
    readCell: (cell) => (typeof cell === 'bigint' ? Number(cell) : cell),
    input: { kind: 'table', rows, dimensions },
  };
}
