import type { EncodedSamples, Layout, VocabularyColumns } from './samples.ts';
import {
  emptyVocabulary,
  forgottenOf,
  GrowingVocabulary,
  indexOf,
  isOfTable,
  type Vocabulary,
  valuesOf,
  withValuesOf,
} from './vocabulary.ts';

/** Whether vocabularies are those of a layout. */
export function haveVocabularies(
  { vocabularies: tables = [] }: Layout,
  vocabularies: readonly Vocabulary[] = [],
): boolean {
  return (
    vocabularies.length === tables.length &&
    tables.every((table, i) => {
      const own = vocabularies[i];
      return own !== undefined && isOfTable(table, own);
    })
  );
}

/** A category's values as the hashes that samples have of them, in order. */
function hashesOf(
  { categoryOffset }: VocabularyColumns,
  { count, categories }: EncodedSamples,
  { categoryCount }: Layout,
): Int32Array {
  return Int32Array.from(
    { length: count },
    (_, row) => categories[row * categoryCount + categoryOffset] ?? 0,
  );
}

/** Vocabularies after some samples, and the rows of each that now stand for another value. */
export type Grown = {
  readonly vocabularies: readonly Vocabulary[];
  readonly reused: readonly { readonly name: string; readonly rows: ReadonlySet<number> }[];
};

/** The vocabularies of a layout after some samples; undefined where it has none. */
export function grown(
  before: readonly Vocabulary[] | undefined,
  samples: EncodedSamples,
  layout: Layout,
): Grown | undefined {
  const all = layout.vocabularies?.map((columns, i) => {
    const vocabulary = new GrowingVocabulary(columns, before?.[i] ?? emptyVocabulary(columns));
    for (const hash of hashesOf(columns, samples, layout)) vocabulary.add(hash);
    return { name: columns.name, vocabulary };
  });
  return (
    all && {
      vocabularies: all.map(({ vocabulary }) => vocabulary.soFar()),
      reused: all.map(({ name, vocabulary }) => ({ name, rows: vocabulary.reused })),
    }
  );
}

/**
 * Samples whose values are rows of their tables, as an engine takes them: they come as hashes,
 * since the rows belong to the state.
 */
export function indexed(
  samples: EncodedSamples,
  vocabularies: readonly Vocabulary[] | undefined,
  layout: Layout,
): EncodedSamples {
  if (layout.vocabularies === undefined) return samples;
  const categories = samples.categories.slice();
  layout.vocabularies.forEach((columns, i) => {
    const index = indexOf(vocabularies?.[i] ?? emptyVocabulary(columns));
    hashesOf(columns, samples, layout).forEach((hash, row) => {
      const place = row * layout.categoryCount + columns.categoryOffset;
      categories[place] = (index.rowOf(hash) ?? -1) + 1;
    });
  });
  return { ...samples, categories };
}

/** By feature, how many samples have a value without a row; only of features with a vocabulary. */
export function countWithoutRow(
  samples: EncodedSamples,
  vocabularies: readonly Vocabulary[] | undefined,
  layout: Layout,
): Readonly<Record<string, number>> {
  const found = (layout.vocabularies ?? []).flatMap((columns, i): [string, number][] => {
    const index = indexOf(vocabularies?.[i] ?? emptyVocabulary(columns));
    const without = hashesOf(columns, samples, layout).filter(
      (hash) => index.rowOf(hash) === undefined,
    );
    return without.length === 0 ? [] : [[columns.name, without.length]];
  });
  return Object.fromEntries(found);
}

/** What is known of a vocabulary at a glance. */
export type VocabularySummary = {
  readonly size: number;
  /** Values that have a place now, and those that lost theirs so far. */
  readonly values: number;
  readonly forgotten: number;
};

/** The vocabularies of a layout at a glance, by feature. */
export function vocabularySummaries(
  { vocabularies: tables = [] }: Pick<Layout, 'vocabularies'>,
  vocabularies: readonly Vocabulary[] = [],
): Readonly<Record<string, VocabularySummary>> {
  return Object.fromEntries(
    tables.map(({ name, size }, i) => {
      const own = vocabularies[i];
      const [values, forgotten] = own ? [valuesOf(own).length, forgottenOf(own)] : [0, 0];
      return [name, { size, values, forgotten }];
    }),
  );
}

/** How many values lost their place so far, of all vocabularies. */
export function countForgotten(vocabularies: readonly Vocabulary[] = []): number {
  return vocabularies.reduce((sum, each) => sum + forgottenOf(each), 0);
}

/** {@link withValuesOf} of each vocabulary of a layout; undefined where it has none. */
export function withAllValuesOf(
  { vocabularies }: Layout,
  before: readonly Vocabulary[] = [],
  dataset: readonly Vocabulary[] = [],
): readonly Vocabulary[] | undefined {
  return vocabularies?.map((table, i) =>
    withValuesOf(table, before[i] ?? emptyVocabulary(table), dataset[i] ?? emptyVocabulary(table)),
  );
}
