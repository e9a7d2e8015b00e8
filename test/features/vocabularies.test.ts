import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import type { VocabularyTable } from '../../lib/features/samples.ts';
import { grown, haveVocabularies, indexed } from '../../lib/features/vocabularies.ts';
import {
  emptyVocabulary,
  GrowingVocabulary,
  type Vocabulary,
  withValuesOf,
} from '../../lib/features/vocabulary.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** The rows of values, told slowly: where each hash lies among those that are taken. */
function rowsOf({ hashes, totals }: Vocabulary): Map<number, number> {
  return new Map(Array.from(hashes.subarray(0, totals[1]), (hash, row) => [hash, row + 1]));
}

/** The definition, with lists and without an index: what a value gets when it comes. */
function slowly({ size, admitAfter, expireAfter = Number.POSITIVE_INFINITY }: VocabularyTable) {
  const rows: { hash: number; seen: number }[] = [];
  const waiting = new Map<number, { hash: number; times: number }>();
  const buckets = 1_024;
  let [samples, forgotten] = [0, 0];
  const freeRow = () => {
    if (rows.length < size) return rows.length;
    const oldest = Math.min(...rows.map(({ seen }) => seen));
    if (oldest + expireAfter >= samples) return undefined;
    forgotten += 1;
    return rows.findIndex(({ seen }) => seen === oldest);
  };
  return {
    add(hash: number) {
      samples += 1;
      const known = rows.find((row) => row.hash === hash);
      if (known !== undefined) {
        known.seen = samples;
        return;
      }
      const bucket = hash & (buckets - 1);
      const own = waiting.get(bucket);
      const times = own?.hash === hash ? own.times + 1 : 1;
      if (times >= admitAfter) {
        const row = freeRow();
        if (row === undefined) return;
        rows[row] = { hash, seen: samples };
        waiting.delete(bucket);
      } else if (own === undefined || own.hash === hash) waiting.set(bucket, { hash, times });
      else if (own.times > 1) own.times -= 1;
      else waiting.set(bucket, { hash, times: 1 });
    },
    known: () => new Map(rows.map(({ hash }, i) => [hash, i + 1])),
    totals: () => [samples, rows.length, forgotten],
  };
}

/** Few values, of which many share a bucket of candidates. */
const hash = fc.tuple(fc.nat(12), fc.nat(3)).map(([value, bucket]) => (value * 1_024 + bucket) | 0);
const table = fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  admitAfter: fc.integer({ min: 1, max: 4 }),
  expireAfter: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
});

describe('a vocabulary', () => {
  it('is what its definition says, however its samples are cut', () => {
    fc.assert(
      fc.property(
        table,
        fc.array(hash, { maxLength: 120 }),
        fc.array(fc.nat(20)),
        (own, all, cuts) => {
          const expected = slowly(own);
          let vocabulary = emptyVocabulary(own);
          // As it is read from a file, of which nothing is known but its arrays.
          let read = vocabulary;
          let start = 0;
          for (const length of [...cuts, all.length]) {
            const growing = new GrowingVocabulary(own, vocabulary);
            const reading = new GrowingVocabulary(own, read);
            const before = structuredClone(vocabulary);
            for (const each of all.slice(start, start + length)) {
              growing.add(each);
              reading.add(each);
              expected.add(each);
            }
            read = structuredClone(reading.soFar());
            start += length;
            const after = growing.soFar();
            expect(vocabulary).toEqual(before);
            for (const row of growing.reused) expect(row).toBeLessThanOrEqual(own.size);
            vocabulary = after;
            expect(haveVocabularies(layoutOf(own), [after])).toBe(true);
          }
          expect(read).toEqual(vocabulary);
          expect(rowsOf(vocabulary)).toEqual(expected.known());
          expect([...vocabulary.totals]).toEqual(expected.totals());
        },
      ),
      { numRuns: 500 },
    );
  });

  it('goes on from an older one as if nobody had gone on from it', () => {
    const own = { size: 3, admitAfter: 1, expireAfter: 2 };
    const grow = (before: Vocabulary, ...values: number[]) => {
      const growing = new GrowingVocabulary(own, before);
      for (const value of values) growing.add(value);
      return growing.soFar();
    };
    const one = grow(emptyVocabulary(own), 7, 8);
    const two = grow(one, 9, 10, 11);
    expect(grow(one, 9, 10, 11)).toEqual(two);
    expect(grow(one, 12)).toEqual(grow(structuredClone(one), 12));
    expect(rowsOf(one)).toEqual(
      new Map([
        [7, 1],
        [8, 2],
      ]),
    );
  });

  it('says which rows were given to another value, and gives none away that is in use', () => {
    const own = { size: 2, admitAfter: 1, expireAfter: 3 };
    const growing = new GrowingVocabulary(own, emptyVocabulary(own));
    for (const value of [1, 2, 3, 2, 2]) growing.add(value);
    expect([...growing.reused]).toEqual([]);
    growing.add(3);
    expect([...growing.reused]).toEqual([1]);
    expect(rowsOf(growing.soFar())).toEqual(
      new Map([
        [3, 1],
        [2, 2],
      ]),
    );
  });

  it('takes a dataset’s values into free rows, and moves none', () => {
    const own = { size: 4, admitAfter: 1 };
    const of = (...values: number[]) => {
      const growing = new GrowingVocabulary(own, emptyVocabulary(own));
      for (const value of values) growing.add(value);
      return growing.soFar();
    };
    const merged = withValuesOf(own, of(5, 6, 5), of(8, 6, 9, 10, 10));
    expect(rowsOf(merged)).toEqual(
      new Map([
        [5, 1],
        [6, 2],
        [8, 3],
        [9, 4],
      ]),
    );
    expect([...merged.totals]).toEqual([8, 4, 0]);
    expect([...merged.seen]).toEqual([3, 5, 4, 6]);
    expect(withValuesOf(own, of(5), emptyVocabulary(own))).toEqual(of(5));
  });

  it('goes on the same after it took a dataset’s values, from a file too', () => {
    const values = fc.array(hash, { maxLength: 30 });
    fc.assert(
      fc.property(table, values, values, values, (own, first, dataset, then) => {
        const grow = (before: Vocabulary, all: readonly number[]) => {
          const growing = new GrowingVocabulary(own, before);
          for (const each of all) growing.add(each);
          return growing.soFar();
        };
        const empty = emptyVocabulary(own);
        const merged = withValuesOf(own, grow(empty, first), grow(empty, dataset));
        const read = structuredClone(merged);
        expect(haveVocabularies(layoutOf(own), [read])).toBe(true);
        expect(grow(merged, then)).toEqual(grow(read, then));
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, (vocabulary: Vocabulary) => void]>([
    ['more rows than there are', ({ totals }) => totals.fill(9, 1, 2)],
    ['a row that is taken and was never seen', ({ seen }) => seen.fill(0, 1, 2)],
    ['a row that was seen later than all samples', ({ seen }) => seen.fill(99, 1, 2)],
    ['a row that was seen between two samples', ({ seen }) => seen.fill(0.5, 1, 2)],
    ['a value in two rows', ({ hashes }) => hashes.fill(5, 0, 2)],
    ['a sighting too many', ({ sightings }) => sightings.fill(3, 7, 8)],
    ['sightings below none', ({ sightings }) => sightings.fill(-1, 7, 8)],
    ['a part of a forgotten value', ({ totals }) => totals.fill(0.5, 2, 3)],
  ])('is none of a table with %s', (_, damage) => {
    const own = { size: 4, admitAfter: 3 };
    const growing = new GrowingVocabulary(own, emptyVocabulary(own));
    for (const each of [1, 2, 1, 2, 1, 2, 3]) growing.add(each);
    const vocabulary = structuredClone(growing.soFar());
    expect(haveVocabularies(layoutOf(own), [vocabulary])).toBe(true);
    damage(vocabulary);
    expect(haveVocabularies(layoutOf(own), [vocabulary])).toBe(false);
  });

  it('makes hashes rows, and leaves the samples as they came', () => {
    const { encode, layout } = createEncoder(
      defineSpec({
        model: 'm',
        task: 'regression',
        features: {
          team: { type: 'category', values: ['red'] },
          shop: { type: 'category', vocabulary: { size: 2, admitAfter: 1 } },
        },
      }),
    );
    const { samples } = encode(
      ['x', 'y', 'z', 'x'].map((shop) => ({ features: { team: 'red', shop }, label: 1 })),
    );
    const before = samples.categories.slice();
    const growth = grown(undefined, samples, layout);
    expect([...indexed(samples, growth?.vocabularies, layout).categories]).toEqual([
      1, 1, 1, 2, 1, 0, 1, 1,
    ]);
    expect([...indexed(samples, undefined, layout).categories]).toEqual([1, 0, 1, 0, 1, 0, 1, 0]);
    expect(samples.categories).toEqual(before);
  });
});

function columns(own: VocabularyTable) {
  return { ...own, name: 'shop', categoryOffset: 0 };
}

function layoutOf(own: VocabularyTable) {
  return { numberWidth: 0, categoryCount: 1, vocabularies: [columns(own)] };
}
