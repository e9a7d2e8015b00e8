import * as z from 'zod';
import { limits } from '../../limits.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import { type Cells, isRoundedNumber } from '../cells.ts';
import { hashText } from '../hash.ts';
import { columnName, type FeatureBehaviour } from './kind.ts';

const vocabularySchema = strictObject({
  size: z.int().min(1).max(limits.vocabularySize).describe('values that have a place at once'),
  admitAfter: z
    .int()
    .min(1)
    .max(1_000)
    .default(2)
    .describe('how often a value is seen until it gets a place'),
  expireAfter: z
    .int()
    .min(1)
    .max(1e12)
    .optional()
    .describe(
      'after so many samples without it a value may lose its place to another; never unless given',
    ),
});

/**
 * A text, integer or boolean out of a set. With `values` each known value has an index, and index 0
 * stands for all others. With `buckets` the value's hash is its index. With `vocabulary` the state
 * gives values their indices as they come (lib/features/vocabularies.ts). `dimensions` is the width
 * of its embedding.
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
  vocabulary: vocabularySchema
    .optional()
    .describe('its values get places as they come; those without one are learnt as one'),
  dimensions: z.int().min(1).max(1_024).default(8).describe('of its embedding'),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .string()
    .min(1)
    .max(limits.categoryCharacters)
    .optional()
    .describe('stands for a missing value; a sample without one is refused unless given'),
}).refine(
  ({ values, buckets, vocabulary }) =>
    [values, buckets, vocabulary].filter((each) => each !== undefined).length === 1,
  {
    message:
      'a category needs one of values (its known values), buckets (a number of hash buckets) and ' +
      'vocabulary (places that its values get as they come)',
  },
);

/** The places of known values by their texts, from 1. */
export function placesOfValues(values: readonly string[], cells: Cells): Map<string, number> {
  return new Map(values.map((value, index) => [cells.text(value) ?? value, index + 1]));
}

/** How a category behaves: one column of indices, and a table of embeddings. */
export function categoryBehaviour(
  feature: z.output<typeof categorySchema>,
  cells: Cells,
): FeatureBehaviour {
  const { values, buckets, vocabulary, dimensions, missing } = feature;
  const rows = buckets ?? (vocabulary?.size ?? values?.length ?? 0) + 1;
  const known = placesOfValues(values ?? [], cells);
  const indexOf = (text: string) => {
    if (values !== undefined) return known.get(text) ?? 0;
    return buckets === undefined ? hashText(text) : hashText(text) % buckets;
  };
  return {
    width: { numbers: 0, categories: 1 },
    isStandardized: false,
    missing,
    knows: (cell) => known.has(cells.text(cell) ?? ''),
    ...(values === undefined ? {} : { unknownIndex: 0 }),
    ...(vocabulary && { vocabulary }),
    writer({ categoryOffset, row: { categories } }) {
      return (value, into, row) => {
        const text = cells.text(value);
        if (text === undefined) {
          const reason = isRoundedNumber(value)
            ? `whole numbers beyond 2^53 are not exact in JSON; write it as a text (found ${value})`
            : `must be a text of 1 to ${limits.categoryCharacters} characters, a number or a boolean ` +
              `(found ${show(value)})`;
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
