import { z } from 'zod';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';

const standardize = z.boolean();

/** A finite number; standardised by the running mean and variance unless `standardize` is false. */
const numberFeature = strictObject({
  type: z.literal('number'),
  standardize: standardize.default(true),
});

/** A list of `length` finite numbers, such as pixels or a text embedding. */
const vectorFeature = strictObject({
  type: z.literal('vector'),
  length: z.int().min(1).max(limits.vectorLength),
  standardize: standardize.default(false),
});

/**
 * A text, integer or boolean out of a set. With `values` each known value has an index and index 0 stands
 * for all others; with `buckets` the value's hash is its index. `dimensions` is the width of its embedding.
 */
const categoryFeature = strictObject({
  type: z.literal('category'),
  values: z
    .array(z.string().min(1).max(limits.categoryCharacters))
    .min(1)
    .max(limits.categoryValues)
    .refine((values) => new Set(values).size === values.length, 'values must be distinct')
    .optional(),
  buckets: z.int().min(2).max(limits.categoryValues).optional(),
  dimensions: z.int().min(1).max(1_024).default(8),
}).refine((feature) => (feature.values === undefined) !== (feature.buckets === undefined), {
  message: 'a category needs either values (its known values) or buckets (a number of hash buckets)',
});

/** One feature of a sample, as its spec declares it. */
export const featureSchema = z.discriminatedUnion('type', [numberFeature, vectorFeature, categoryFeature]);

/** A validated feature, with its defaults filled in. */
export type Feature = z.output<typeof featureSchema>;

/** Rows of a category's embedding table: one more than the known values, for all others. */
export function vocabularySize(feature: Extract<Feature, { type: 'category' }>): number {
  return feature.values === undefined ? (feature.buckets ?? 0) : feature.values.length + 1;
}
