import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scalingOf } from '../../lib/features/columns.ts';
import {
  derive,
  deriveInOrder,
  mergeWithHistory,
  withHistoryOf,
} from '../../lib/features/derived.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { decayed, mergeMoments, momentsOf } from '../../lib/features/moments.ts';
import { standardize } from '../../lib/features/scaling.ts';
import { emptyStatistics, statisticsOf } from '../../lib/features/statistics.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const spec = defineSpec({
  model: 'm',
  task: 'binary',
  features: {
    shop: { type: 'category', buckets: 16 },
    hour: { type: 'number', missing: 'mean' },
    late: { type: 'targetMean', of: ['shop'], buckets: 64, smoothing: 2 },
    lately: { type: 'targetMean', of: ['shop', 'hour'], buckets: 1_024, halfLife: 1 },
    both: { type: 'cross', of: ['shop', 'hour'], buckets: 128 },
  },
});
const { encode, layout } = createEncoder(spec);
const encoded = (samples: readonly unknown[]) => {
  const { samples: own, refused } = encode(samples);
  expect(refused).toEqual([]);
  return own;
};
const visit = (shop: string, label: boolean, hour: number | null = 9) => ({
  features: { shop, hour },
  label,
});
/** A column of the raw numbers: the hour, whether it was missing, and both means. */
const column = (samples: { raw: ArrayLike<number> }, index: number) =>
  Array.from(samples.raw).filter((_, i) => i % layout.numberWidth === index);

describe('a target mean', () => {
  const first = encoded([visit('a', true), visit('a', true), visit('b', false), visit('a', true)]);

  it('knows nothing of the message that it is in', () => {
    expect(column(derive(first, emptyStatistics(layout), layout), 2)).toEqual([0, 0, 0, 0]);
  });

  it('is the mean of earlier labels, with some of the mean of all', () => {
    const statistics = withHistoryOf(emptyStatistics(layout), first, layout);
    const next = derive(
      encoded([visit('a', false), visit('b', true), visit('c', true)]),
      statistics,
      layout,
    );
    // Two samples with the mean of all, 3/4, are counted to each: (3 + 1.5) / 5, (0 + 1.5) / 3; and
    // what counts is how far that is from the mean of all.
    const found = column(next, 2).map((each) => Number(each.toFixed(12)));
    expect(found).toEqual([0.15, -0.25, 0]);
  });

  it('forgets by the samples of its own value alone', () => {
    let statistics = emptyStatistics(layout);
    for (const label of [true, false]) {
      const rows = encoded([visit('a', label), visit('b', true), visit('b', true)]);
      statistics = withHistoryOf(statistics, rows, layout);
    }
    // Of a: 1, then 0, with a half-life of one sample: 0.5 of 1.5; ten of 5/6 are counted to it.
    const [found = 0] = column(derive(encoded([visit('a', true)]), statistics, layout), 3);
    expect(found).toBeCloseTo((0.5 + 10 * (5 / 6)) / 11.5 - 5 / 6, 12);
  });

  it('forgets as much of what came before two stretches as if they were one', () => {
    const visits = fc.array(
      fc.tuple(fc.constantFrom('a', 'b'), fc.boolean(), fc.constantFrom(1, 2)),
      { maxLength: 80 },
    );
    const rowsOf = (drawn: readonly (readonly [string, boolean, number])[]) =>
      encoded(drawn.map(([shop, label, hour]) => visit(shop, label, hour)));
    fc.assert(
      fc.property(visits, visits, (earlier, later) => {
        const [first, second] = [rowsOf(earlier), rowsOf(later)];
        const nothing = emptyStatistics(layout);
        const before = withHistoryOf(nothing, first, layout);
        const merged = mergeWithHistory(layout, before, withHistoryOf(nothing, second, layout));
        const inOrder = withHistoryOf(before, second, layout);
        for (const [i, { sums, counts }] of (merged.targets ?? []).entries()) {
          const expected = inOrder.targets?.[i];
          for (const [own, other] of [
            [sums, expected?.sums],
            [counts, expected?.counts],
          ] as const)
            for (const [place, value] of own.whole().entries())
              expect(value).toBeCloseTo(other?.at(place) ?? Number.NaN, 9);
        }
      }),
    );
  });

  it('has a share for each class', () => {
    const classes = createEncoder(
      defineSpec({
        model: 'm',
        task: 'multiclass',
        label: { classes: ['x', 'y', 'z'] },
        features: {
          shop: { type: 'category', buckets: 8 },
          of: { type: 'targetMean', of: ['shop'] },
        },
      }),
    );
    const rows = ['x', 'z', 'z'].map((label) => ({ features: { shop: 's' }, label }));
    const { samples } = classes.encode(rows);
    const statistics = withHistoryOf(emptyStatistics(classes.layout), samples, classes.layout);
    const [x = 0, y = 0, z = 0] = derive(samples, statistics, classes.layout).raw;
    expect([x, y, z].map((share) => Number(share.toFixed(6)))).toEqual([0, 0, 0]);
    const other = derive(
      classes.encode([{ features: { shop: 't' }, label: 'y' }]).samples,
      statistics,
      classes.layout,
    );
    expect([...other.raw]).toEqual([0, 0, 0]);
  });

  it('sees the rows before it in a dataset, and never held-out ones', () => {
    const visits = Array.from({ length: 600 }, (_, i) =>
      visit(i % 3 === 0 ? 'a' : 'b', i % 3 === 0, i % 7 === 0 ? null : i % 5),
    );
    const even = (length: number, from = 0) =>
      Array.from({ length }, (_, i) => i).filter((i) => (from + i) % 2 === 0);
    const derivation = deriveInOrder(layout);
    const whole = derivation.add(encoded(visits), even(600));
    const means = column(whole, 2);
    expect(means.slice(0, 2)).toEqual([0, 0]);
    expect(means[597]).toBeCloseTo((100 * (1 - 1 / 3)) / 102, 2);
    expect(derivation.history().targets?.[0]?.totalCount).toBe(300);
    // However the rows are cut.
    const parts = deriveInOrder(layout);
    const cut = [0, 1, 250, 251, 600].flatMap((start, i, all) => {
      const end = all[i + 1] ?? start;
      const part = visits.slice(start, end);
      return part.length === 0 ? [] : [...parts.add(encoded(part), even(part.length, start)).raw];
    });
    expect(cut).toEqual([...whole.raw]);
    expect(parts.history()).toEqual(derivation.history());
  });
});

describe('a missing number of specs before revision 11', () => {
  it('is the mean so far, and says that it was missing', () => {
    const earlier = createEncoder({ ...spec, revision: 10 });
    const encoded = (visits: readonly unknown[]) => earlier.encode(visits).samples;
    const seen = encoded([visit('a', true, 8), visit('a', true, 12)]);
    const before = emptyStatistics(earlier.layout);
    const statistics = statisticsOf(derive(seen, before, earlier.layout), earlier.layout);
    const next = encoded([visit('a', true, null), visit('a', true, 7)]);
    const derived = derive(next, statistics, earlier.layout);
    expect(column(derived, 0)).toEqual([10, 7]);
    expect(column(derived, 1)).toEqual([1, 0]);
  });
});

describe('a cross', () => {
  it('is one category of several values, the same in any row', () => {
    const { categories } = encoded([
      visit('a', true, 9),
      visit('a', false, 9),
      visit('a', true, 10),
      visit('b', true, 9),
    ]);
    const own = Array.from({ length: 4 }, (_, row) => categories[row * layout.categoryCount + 3]);
    expect(own[0]).toBe(own[1]);
    expect(new Set(own).size).toBe(3);
  });

  it('takes a number for one, however it is written', () => {
    const forms = [7.5, '7.50', '+7.5', '75e-1'].map((hour) => ({
      features: { shop: 'a', hour },
      label: true,
    }));
    const { categories } = encoded(forms);
    const own = forms.map((_, row) => categories[row * layout.categoryCount + 3]);
    expect(new Set(own).size).toBe(1);
  });

  it('takes a number beyond 2^53 for the one that its feature is', () => {
    const large = ['9007199254740993', 9_007_199_254_740_992, 9_007_199_254_740_993n, 1.1e19];
    const rows = encoded(large.map((hour) => ({ features: { shop: 'a', hour }, label: true })));
    const own = large.map((_, row) => rows.categories[row * layout.categoryCount + 3]);
    expect(new Set(own.slice(0, 3)).size).toBe(1);
    expect(own[3]).not.toBe(own[0]);
  });

  it('is not sent, and takes what its sources lack for theirs', () => {
    const { refused } = encode([
      { features: { shop: 'a', hour: 9, both: 'a9' }, label: true },
      { features: { hour: 9 }, label: true },
    ]);
    expect(refused.map(({ field }) => field)).toEqual(['features.both', 'features.shop']);
  });

  it.each([
    [
      { x: { type: 'cross', of: ['y'] } },
      'features.x.of: names features of the type number or category (y is no feature)',
    ],
    [{ x: { type: 'vector', length: 2 }, y: { type: 'targetMean', of: ['x'] } }, 'x is a vector'],
    [{ x: { type: 'number' }, y: { type: 'cross', of: ['x', 'x'] } }, 'names must be distinct'],
    [{ x: { type: 'number' }, y: { type: 'targetMean', of: [] } }, 'of'],
  ])('names features that there are: %j', (features, message) => {
    const declare = () =>
      defineSpec({ model: 'm', task: 'binary', features: features as SpecInput['features'] });
    expect(declare).toThrow(message);
  });
});

describe('moments that forget', () => {
  it('are the same, however samples are cut', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), {
      minLength: 2,
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        values,
        fc.nat(),
        fc.double({ min: 1, max: 100, noNaN: true }),
        (all, cut, halfLife) => {
          const middle = 1 + (cut % (all.length - 1));
          const of = (part: readonly number[]) =>
            momentsOf(
              { rows: part.length, columns: 1, valueAt: (row) => part[row] ?? 0 },
              halfLife,
            );
          const [a, b] = [all.slice(0, middle), all.slice(middle)];
          const merged = mergeMoments(
            decayed({ halfLife, ...of(a) }, { ...of(b), count: b.length }),
            of(b),
          );
          const whole = of(all);
          expect(merged.count).toBeCloseTo(whole.count, 9);
          expect(merged.mean[0]).toBeCloseTo(whole.mean[0] ?? 0, 3);
          const size = 1 + Math.abs(whole.squares[0] ?? 0);
          expect(Math.abs((merged.squares[0] ?? 0) - (whole.squares[0] ?? 0)) / size).toBeLessThan(
            1e-6,
          );
        },
      ),
    );
  });

  it('bound what had not varied lately by what as many samples can be from their mean', () => {
    const own = defineSpec({
      model: 'm',
      task: 'binary',
      features: { x: { type: 'number', halfLife: 2 } },
    });
    const encoder = createEncoder(own);
    const rows = (numbers: readonly number[]) =>
      encoder.encode(numbers.map((x) => ({ features: { x }, label: true }))).samples;
    const seen = statisticsOf(rows([1, ...Array(200).fill(0)]), encoder.layout);
    const { numbers } = standardize(rows([1e9, -1e9, 0]), seen, scalingOf(own));
    const most = Math.sqrt(seen.forgetting?.[0]?.count ?? 0);
    expect([...numbers].map(Math.abs).every((size) => size <= most + 1e-6)).toBe(true);
    expect(most).toBeLessThan(2);
  });
});
