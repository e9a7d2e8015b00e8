import * as z from 'zod';
import { limits } from '../../limits.ts';
import { strictObject } from '../../parse.ts';
import { accepted } from '../../refusal.ts';
import { hashTexts } from '../hash.ts';
import type { EncodedSamples } from '../samples.ts';
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
  buckets: z
    .union([z.int().min(2).max(limits.categoryValues), z.literal('complete')])
    .default(4_096)
    .describe(
      'hash buckets; `complete`: a row for each combination of categories with `values`, all ' +
        'others of one counting as one more',
    ),
  dimensions: z.int().min(1).max(1_024).default(8).describe('of its embedding'),
});

/** The places of a category's values by their texts: from 1, and 0 is for all others. */
export type Places = ReadonlyMap<string, number>;

/**
 * How a cross behaves: one column of indices, and a table of embeddings.
 *
 * @param places of each of the features that it is of, where it is complete
 */
export function crossBehaviour(
  { of, buckets, dimensions }: z.output<typeof crossSchema>,
  places: readonly Places[],
): FeatureBehaviour {
  const rows = buckets === 'complete' ? combinationsOf(places) : buckets;
  return {
    width: { numbers: 0, categories: 1 },
    isStandardized: false,
    of,
    writer({ categoryOffset, row: { categories } }) {
      const put = (index: number, into: EncodedSamples, row: number) => {
        into.categories[row * categories + categoryOffset] = index;
      };
      return buckets === 'complete' ? completeWriter(places, put) : crossedWriter(buckets, put);
    },
    readCell: (cell) => cell,
    input: { kind: 'table', rows, dimensions },
  };
}

/** So many combinations there are of values, and of others. */
export function combinationsOf(places: readonly { readonly size: number }[]): number {
  return places.reduce((product, { size }) => product * (size + 1), 1);
}

/** Writes the place of a combination: that of the last value counts one by one. */
function completeWriter(
  places: readonly Places[],
  put: (index: number, into: EncodedSamples, row: number) => void,
): WriteValue {
  return (texts, into, row) => {
    const own = texts as readonly string[];
    const index = places.reduce(
      (before, known, at) => before * (known.size + 1) + (known.get(own[at] ?? '') ?? 0),
      0,
    );
    put(index, into, row);
    return accepted;
  };
}

/** What the bucket of some crossed values is told by. */
export function hashOfCross(texts: readonly string[]): number {
  return hashTexts(texts, separator);
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
    put(hashOfCross(texts as readonly string[]) % buckets, into, row);
    return accepted;
  };
}
