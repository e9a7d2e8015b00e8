import type { SpecInput } from '../spec/spec.ts';
import type { Column } from './column-profile.ts';
import { missingValues } from './draft-missing.ts';

/** More values than this are hashed instead of listed. */
export const listedValues = 50;

/** Whether most of its many values are at least three words, or as much without spaces. */
export function isProse(column: Column): boolean {
  const { values, sentences, longTexts, present } = column;
  const all = sentences + column.unspaced;
  return values.size + longTexts > listedValues && all > 0.5 * present;
}

/** Into how many numbers texts of so many words are hashed: of more words, too many share one. */
const bucketsByWords = [
  { words: 64, buckets: 256 },
  { words: 256, buckets: 1_024 },
] as const;
const mostBuckets = { buckets: 4_096 };

/** A free text, by its words; where those have no spaces between them, by letters and pairs. */
export function proseOf(
  column: Column,
  doubts: string[],
): Extract<SpecInput['features'][string], { type: 'text' }> {
  const { name, present, missing } = column;
  const isUnspaced = column.unspaced > column.sentences;
  const without = missing > 0 ? `; ${missingValues(missing)} learnt as a text without words` : '';
  // (Of long texts the words are not kept.)
  const isLong = column.longTexts > 0.5 * present;
  const found = isLong || isUnspaced ? Number.POSITIVE_INFINITY : countWords(column);
  const { buckets } = bucketsByWords.find(({ words: most }) => found <= most) ?? mostBuckets;
  const learnt = isUnspaced
    ? 'is a free text without spaces between words: its letters and pairs of them are learnt'
    : 'is a free text: its words are learnt';
  doubts.push(`${name} ${learnt}, in ${buckets} numbers${without}`);
  return { type: 'text', ...(isUnspaced && { characters: [1, 2] }), buckets, log: true };
}

/** How many words the texts of a column have. */
function countWords({ values }: Column): number {
  const words = new Set<string>();
  for (const text of values.keys())
    for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) words.add(word);
  return words.size;
}
