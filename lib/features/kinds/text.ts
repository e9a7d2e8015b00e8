import * as z from 'zod';
import { logarithm } from '../../arithmetic.ts';
import { limits } from '../../limits.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import type { Cells } from '../cells.ts';
import { murmurHash3 } from '../hash.ts';
import { columnName, type FeatureBehaviour } from './kind.ts';

/** Sizes of n-grams: from the first to the second. */
const sizes = (most: number) =>
  z
    .tuple(
      [z.int().min(1).max(most), z.int().min(1).max(most)],
      'must be a list of the fewest and the most together, whole numbers',
    )
    .refine(
      ([least, greatest]) => least <= greatest,
      'must be the smallest size, then the largest',
    );

/**
 * A free text: the words and the neighbours among them that it has, hashed into `buckets` numbers of
 * length 1, as scikit-learn's `HashingVectorizer` has them.
 */
export const textSchema = strictObject({
  type: z.literal('text'),
  words: sizes(5)
    .default([1, 1])
    .describe('how many words are taken together: single ones, or up to some in a row'),
  characters: sizes(10)
    .optional()
    .describe('takes so many letters together within words, instead of whole words'),
  buckets: z
    .int()
    .min(2)
    .max(limits.textBuckets)
    .default(256)
    .describe('numbers into which all that is found is hashed'),
  log: z
    .literal(true)
    .optional()
    .describe(
      'takes the logarithm of 1 + how often each bucket was found: a word that is said ten times ' +
        'says hardly more than one that is said twice. For texts of more than a sentence',
    ),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z.string().default('').describe('stands for a missing text: one without words'),
});

type TextFeature = z.output<typeof textSchema>;

/** How a text behaves: a number for each bucket. */
export function textBehaviour(feature: TextFeature, cells: Cells): FeatureBehaviour {
  const { buckets, missing } = feature;
  return {
    width: { numbers: buckets, categories: 0 },
    isStandardized: false,
    missing,
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const text = typeof cell === 'string' ? cell : cells.text(cell);
        if (text === undefined) return refuse('wrong-type', `must be a text (found ${show(cell)})`);
        const start = row * numbers + numberOffset;
        into.raw.set(hashedGrams(text, feature), start);
        return accepted;
      };
    },
    readCell: (cell) => cell,
    input: { kind: 'numbers' },
  };
}

/** What a text has of each bucket, with the length 1; zeros if it has no words. */
function hashedGrams(text: string, { buckets, words, characters, log }: TextFeature): Float64Array {
  const counts = new Float64Array(buckets);
  const lower = text.toLowerCase();
  const grams = characters ? letterGrams(lower, characters) : wordGrams(lower, words);
  for (const gram of grams) {
    // The sign is a bit of the hash: what falls into one bucket by chance cancels out on average.
    const hash = murmurHash3(gram) | 0;
    const bucket = Math.abs(hash) % buckets;
    counts[bucket] = (counts[bucket] ?? 0) + (hash >= 0 ? 1 : -1);
  }
  if (log)
    counts.forEach((count, bucket) => {
      if (count !== 0) counts[bucket] = Math.sign(count) * logarithm(1 + Math.abs(count));
    });
  const length = Math.sqrt(counts.reduce((sum, count) => sum + count * count, 0));
  return length === 0 ? counts : counts.map((count) => count / length);
}

/** Words of two letters or digits and more, and neighbours joined by a space. */
function* wordGrams(text: string, [least, most]: readonly [number, number]): Generator<string> {
  const words = text.match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  for (let size = least; size <= most; size++)
    for (let start = 0; start + size <= words.length; start++)
      yield words.slice(start, start + size).join(' ');
}

/** Letters in a row within a word that has a space on either side; a short word once, as it is. */
function* letterGrams(text: string, [least, most]: readonly [number, number]): Generator<string> {
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const letters = Array.from(` ${word} `);
    for (let size = least; size <= most; size++) {
      const isShort = letters.length <= size;
      const last = isShort ? 0 : letters.length - size;
      for (let start = 0; start <= last; start++) yield letters.slice(start, start + size).join('');
      if (isShort) break;
    }
  }
}
