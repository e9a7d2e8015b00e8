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
  /** Samples so far, rows that are taken, where to look for an old one, values forgotten; [4]. */
  readonly totals: Float64Array;
};

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
    totals: new Float64Array(4),
  };
}

/** Whether a vocabulary is one of a table. */
export function isOfTable(table: VocabularyTable, vocabulary: Vocabulary): boolean {
  const { hashes, seen, candidates, sightings, totals } = vocabulary;
  const [buckets, [samples = -1, taken = -1, hand = -1, forgotten = -1]] = [
    bucketsOf(table),
    totals,
  ];
  return (
    hashes.length === table.size &&
    seen.length === table.size &&
    candidates.length === buckets &&
    sightings.length === buckets &&
    totals.length === 4 &&
    [samples, taken, hand, forgotten].every((each) => Number.isSafeInteger(each) && each >= 0) &&
    taken <= table.size &&
    hand <= table.size &&
    seen.every((place, row) => place >= 0 && place <= samples && place > 0 === row < taken)
  );
}

/** The rows of values, made once for an array of hashes. */
const indexes = new WeakMap<Int32Array, Map<number, number>>();

/** The row of each value, counted from 0. */
export function indexOf({ hashes, totals }: Vocabulary): Map<number, number> {
  const known = indexes.get(hashes);
  if (known !== undefined) return known;
  const index = new Map<number, number>();
  for (let row = 0; row < (totals[1] ?? 0); row++) index.set(hashes[row] ?? 0, row);
  indexes.set(hashes, index);
  return index;
}

/** Copies of a vocabulary's arrays, and its index, which may be changed. */
type Open = Omit<Vocabulary, 'totals'> & { readonly index: Map<number, number> };

/**
 * A vocabulary that takes in values one after another, and changes none that it began with or
 * handed out.
 *
 * A value is admitted when it is seen the `admitAfter`th time: to a row that nobody has, or to one
 * whose value has not been seen in the last `expireAfter` samples, if there is either. Of values
 * without a row one is counted in each bucket of hashes: another that is seen there takes one
 * sighting from it, or its place if that was the last. So values that come once do not add up.
 */
export class GrowingVocabulary {
  readonly #table: VocabularyTable;
  #current: Vocabulary;
  #open: Open | undefined;
  #samples: number;
  #taken: number;
  #hand: number;
  #forgotten: number;
  /** Until so many samples have come no row is free. */
  #noneUntil: number;
  readonly #reused = new Set<number>();

  constructor(table: VocabularyTable, before: Vocabulary) {
    this.#table = table;
    this.#current = before;
    const [samples = 0, taken = 0, hand = 0, forgotten = 0] = before.totals;
    this.#samples = samples;
    this.#taken = taken;
    this.#hand = hand;
    this.#forgotten = forgotten;
    this.#noneUntil = this.#expireAfter;
  }

  get #expireAfter(): number {
    return this.#table.expireAfter ?? Number.POSITIVE_INFINITY;
  }

  /** Takes in the value of the next sample. */
  add(hash: number): void {
    this.#open ??= openOf(this.#current);
    const { index, seen } = this.#open;
    this.#samples += 1;
    const row = index.get(hash);
    if (row !== undefined) seen[row] = this.#samples;
    else if (this.#table.admitAfter === 1) this.#admit(this.#open, hash);
    else this.#propose(this.#open, hash);
  }

  /** Gives a value a row, if it has none and one is free. */
  give(hash: number, samples: number): void {
    this.#open ??= openOf(this.#current);
    const { index, seen } = this.#open;
    this.#samples = samples;
    const row = index.get(hash);
    if (row !== undefined) seen[row] = samples;
    else this.#admit(this.#open, hash);
  }

  /** What it knows so far. */
  soFar(): Vocabulary {
    if (this.#open === undefined) return this.#current;
    const { index, ...arrays } = this.#open;
    const totals = Float64Array.of(this.#samples, this.#taken, this.#hand, this.#forgotten);
    this.#current = { ...arrays, totals };
    indexes.set(arrays.hashes, index);
    this.#open = undefined;
    return this.#current;
  }

  /** Rows of the table that were taken from a value and given to another. */
  get reused(): ReadonlySet<number> {
    return this.#reused;
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

  #admit({ hashes, seen, index }: Open, hash: number): boolean {
    const isNew = this.#taken < this.#table.size;
    const row = isNew ? this.#taken : this.#expiredRow(seen);
    if (row === undefined) return false;
    if (isNew) this.#taken += 1;
    else {
      index.delete(hashes[row] ?? 0);
      this.#forgotten += 1;
      this.#reused.add(row + 1);
    }
    hashes[row] = hash;
    seen[row] = this.#samples;
    index.set(hash, row);
    return true;
  }

  /** The next row, going round, whose value has not been seen for long. */
  #expiredRow(seen: Float64Array): number | undefined {
    if (this.#samples <= this.#noneUntil) return undefined;
    const { size } = this.#table;
    let oldest = this.#samples;
    for (let turn = 0; turn < size; turn++) {
      const row = this.#hand;
      this.#hand = row + 1 === size ? 0 : row + 1;
      const place = seen[row] ?? 0;
      if (place + this.#expireAfter < this.#samples) return row;
      oldest = Math.min(oldest, place);
    }
    this.#noneUntil = oldest + this.#expireAfter;
    return undefined;
  }
}

/** The index goes along: an older vocabulary that is asked again makes another. */
function openOf(vocabulary: Vocabulary): Open {
  const index = indexOf(vocabulary);
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
  const [more = 0, taken = 0] = dataset.totals;
  const all = new GrowingVocabulary({ ...table, expireAfter: undefined }, before);
  for (let row = 0; row < taken; row++)
    all.give(dataset.hashes[row] ?? 0, samples + (dataset.seen[row] ?? 0));
  const merged = all.soFar();
  const totals = merged.totals.slice();
  totals[0] = samples + more;
  return { ...merged, totals };
}
