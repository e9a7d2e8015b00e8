import { RecencyIndex } from './recency-index.ts';
import type { VocabularyTable } from './samples.ts';

/**
 * Which values of a category have a row of its table: those that were seen often enough, as long
 * as there is room. A value is known by its hash, of 32 bits. Row 0 of the table stands for all
 * others.
 */
export type Vocabulary = {
  /** The value of each row but the first, [size]. */
  readonly hashes: Int32Array;
  /** After how many samples each was seen last, [size]; 0 of rows that nothing was given. */
  readonly seen: Float64Array;
  /** Values without a row that were seen lately, one for each bucket of hashes, [buckets]. */
  readonly candidates: Int32Array;
  /** How often each of them was seen, [buckets]. */
  readonly sightings: Int32Array;
  /** Samples so far, rows that are taken, and values that lost theirs, [3]. */
  readonly totals: Float64Array;
};

/** The values that have a row, by their hashes, in the order of their rows. */
export function valuesOf({ hashes, totals }: Vocabulary): Int32Array {
  return hashes.subarray(0, totals[1]);
}

/** How many values lost their row so far. */
export function forgottenOf({ totals }: Vocabulary): number {
  return totals[2] ?? 0;
}

/** Buckets of candidates at least, so that few values in a hurry do not push each other out. */
const leastBuckets = 1_024;

function bucketsOf({ size, admitAfter }: VocabularyTable): number {
  return admitAfter === 1 ? 0 : 2 ** Math.ceil(Math.log2(Math.max(size, leastBuckets)));
}

/** A vocabulary that knows no value. */
export function emptyVocabulary(table: VocabularyTable): Vocabulary {
  const buckets = bucketsOf(table);
  return {
    hashes: new Int32Array(table.size),
    seen: new Float64Array(table.size),
    candidates: new Int32Array(buckets),
    sightings: new Int32Array(buckets),
    totals: new Float64Array(3),
  };
}

/** Whether a vocabulary is one that a table may have: nothing in it contradicts another part. */
export function isOfTable(table: VocabularyTable, vocabulary: Vocabulary): boolean {
  const { hashes, seen, candidates, sightings, totals } = vocabulary;
  const { size, admitAfter } = table;
  const [samples = -1, taken = -1, forgotten = -1] = totals;
  const buckets = bucketsOf(table);
  const isWhole = (value: number) => Number.isSafeInteger(value) && value >= 0;
  return (
    hashes.length === size &&
    seen.length === size &&
    candidates.length === buckets &&
    sightings.length === buckets &&
    totals.length === 3 &&
    [samples, taken, forgotten].every(isWhole) &&
    taken <= size &&
    seen.every((at, row) => isWhole(at) && at <= samples && at > 0 === row < taken) &&
    new Set(hashes.subarray(0, taken)).size === taken &&
    sightings.every((times) => times >= 0 && times < admitAfter)
  );
}

/** The rows that are taken, in the order in which they were seen last. */
function rowsBySight(vocabulary: Vocabulary): readonly number[] {
  const { seen } = vocabulary;
  const rows = Array.from(valuesOf(vocabulary), (_, row) => row);
  return rows.sort((a, b) => (seen[a] ?? 0) - (seen[b] ?? 0) || a - b);
}

/** The index of a vocabulary, made once for its array of hashes. */
const indexes = new WeakMap<Int32Array, RecencyIndex>();

/** Where the values of a vocabulary are. */
export function indexOf(vocabulary: Vocabulary): Pick<RecencyIndex, 'rowOf'> {
  return knownIndex(vocabulary);
}

function knownIndex(vocabulary: Vocabulary): RecencyIndex {
  const { hashes } = vocabulary;
  const known = indexes.get(hashes);
  if (known !== undefined) return known;
  const index = new RecencyIndex(hashes.length);
  for (const row of rowsBySight(vocabulary)) index.add(hashes[row] ?? 0, row);
  indexes.set(hashes, index);
  return index;
}

/** Copies of a vocabulary's arrays, and its index, which may be changed. */
type Open = Omit<Vocabulary, 'totals'> & { readonly index: RecencyIndex };

/**
 * A vocabulary that takes in values one after another, and changes none that it began with or
 * handed out.
 *
 * A value is admitted when it is seen the `admitAfter`th time: to a row that nobody has, or to that
 * of the value which has not been seen for longest, if that was more than `expireAfter` samples ago.
 * Of values without a row one is counted in each bucket of hashes: another that is seen there takes
 * one sighting from it, or its place if that was the last. So values that come once do not add up.
 */
export class GrowingVocabulary {
  readonly #table: VocabularyTable;
  #current: Vocabulary;
  #open: Open | undefined;
  #samples: number;
  #taken: number;
  #forgotten: number;
  readonly #reused = new Set<number>();

  constructor(table: VocabularyTable, before: Vocabulary) {
    this.#table = table;
    this.#current = before;
    const [samples = 0, taken = 0, forgotten = 0] = before.totals;
    this.#samples = samples;
    this.#taken = taken;
    this.#forgotten = forgotten;
  }

  /** Takes in the value of the next sample. */
  add(hash: number): void {
    this.#samples += 1;
    this.#open ??= openOf(this.#current);
    if (this.#isKnown(this.#open, hash)) return;
    if (this.#table.admitAfter === 1) this.#admit(this.#open, hash);
    else this.#propose(this.#open, hash);
  }

  /** Gives a value a row, if it has none and one is free. `samples` have been seen with it. */
  give(hash: number, samples: number): void {
    this.#samples = samples;
    this.#open ??= openOf(this.#current);
    if (!this.#isKnown(this.#open, hash)) this.#admit(this.#open, hash);
  }

  /** What it knows so far. */
  soFar(): Vocabulary {
    if (this.#open === undefined) return this.#current;
    const { index, ...arrays } = this.#open;
    const totals = Float64Array.of(this.#samples, this.#taken, this.#forgotten);
    this.#current = { ...arrays, totals };
    indexes.set(arrays.hashes, index);
    this.#open = undefined;
    return this.#current;
  }

  /** Rows of the table that were taken from a value and given to another. */
  get reused(): ReadonlySet<number> {
    return this.#reused;
  }

  #isKnown({ index, seen }: Open, hash: number): boolean {
    const row = index.rowOf(hash);
    if (row === undefined) return false;
    seen[row] = this.#samples;
    index.touch(row);
    return true;
  }

  #propose(open: Open, hash: number): void {
    const { candidates, sightings } = open;
    const bucket = hash & (candidates.length - 1);
    const times = sightings[bucket] ?? 0;
    if (times > 0 && candidates[bucket] === hash) {
      const isDue = times + 1 >= this.#table.admitAfter;
      // One that finds no room waits for it.
      if (!isDue) sightings[bucket] = times + 1;
      else if (this.#admit(open, hash)) sightings[bucket] = 0;
      return;
    }
    if (times > 1) {
      sightings[bucket] = times - 1;
      return;
    }
    candidates[bucket] = hash;
    sightings[bucket] = 1;
  }

  #admit(open: Open, hash: number): boolean {
    const { hashes, seen, index } = open;
    const row = this.#taken < this.#table.size ? this.#taken++ : this.#expiredRow(open);
    if (row === undefined) return false;
    hashes[row] = hash;
    seen[row] = this.#samples;
    index.add(hash, row);
    return true;
  }

  /** The row of a value that has not come for long, taken from it. */
  #expiredRow({ hashes, seen, index }: Open): number | undefined {
    const { expireAfter = Number.POSITIVE_INFINITY } = this.#table;
    const row = index.oldest;
    if (row === undefined || (seen[row] ?? 0) + expireAfter >= this.#samples) return undefined;
    index.remove(hashes[row] ?? 0, row);
    this.#forgotten += 1;
    this.#reused.add(row + 1);
    return row;
  }
}

/** The index goes along: an older vocabulary that is asked again makes another. */
function openOf(vocabulary: Vocabulary): Open {
  const index = knownIndex(vocabulary);
  indexes.delete(vocabulary.hashes);
  const { hashes, seen, candidates, sightings } = vocabulary;
  return {
    hashes: hashes.slice(),
    seen: seen.slice(),
    candidates: candidates.slice(),
    sightings: sightings.slice(),
    index,
  };
}

/**
 * A vocabulary with the values of a dataset, which get the rows that nobody has: whoever has one
 * keeps it.
 */
export function withValuesOf(
  table: VocabularyTable,
  before: Vocabulary,
  dataset: Vocabulary,
): Vocabulary {
  const [samples = 0] = before.totals;
  const [more = 0] = dataset.totals;
  const all = new GrowingVocabulary({ ...table, expireAfter: undefined }, before);
  for (const row of rowsBySight(dataset))
    all.give(dataset.hashes[row] ?? 0, samples + (dataset.seen[row] ?? 0));
  const merged = all.soFar();
  const totals = merged.totals.slice();
  totals[0] = samples + more;
  return { ...merged, totals };
}
