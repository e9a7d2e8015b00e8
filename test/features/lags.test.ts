import { describe, expect, it } from 'vitest';
import { derive, deriveInOrder, withHistoryOf } from '../../lib/features/derived.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { addLags, emptyLags, mergeLags } from '../../lib/features/lags.ts';
import { type EncodedSamples, sliceSamples } from '../../lib/features/samples.ts';
import { emptyStatistics, mergeStatistics, statisticsOf } from '../../lib/features/statistics.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

describe('a lag', () => {
  const declared = {
    model: 'm',
    task: 'regression',
    label: { name: 'sold' },
    features: {
      shop: { type: 'category', values: ['a', 'b'], dimensions: 2 },
      price: { type: 'number' },
      sold_before: { type: 'lag', steps: [1, 3], by: ['shop'], buckets: 16 },
      price_before: { type: 'lag', steps: [2], source: 'price' },
    },
  } satisfies SpecInput;
  const { encode, layout: own } = createEncoder(defineSpec(declared));
  const sales = (...of: readonly (readonly [string, number, number])[]) =>
    encode(of.map(([shop, price, label]) => ({ features: { shop, price }, label }))).samples;
  const lags = (samples: EncodedSamples) =>
    Array.from({ length: samples.count }, (_, row) => [
      ...samples.raw.slice(row * own.numberWidth + 1, (row + 1) * own.numberWidth),
    ]);

  it('is what was settled before the message, of those that share its values', () => {
    let statistics = emptyStatistics(own);
    const learn = (samples: EncodedSamples) => {
      const derived = derive(samples, statistics, own);
      const counted = mergeStatistics(statistics, statisticsOf(derived, own), own);
      statistics = withHistoryOf(counted, samples, own);
      return lags(derived);
    };
    // Nothing is known: the mean so far, which is 0 by its own measure.
    expect(learn(sales(['a', 5, 10], ['b', 6, 20], ['a', 7, 11]))).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    // Means so far: 41 / 3 of what was sold, 18 / 3 of prices.
    const [sold, price] = [41 / 3, 18 / 3];
    expect(learn(sales(['a', 8, 12], ['b', 9, 21]))).toEqual([
      [11 - sold, 0, 6 - price],
      [20 - sold, 0, 6 - price],
    ]);
    // Three of shop a are known; of b two, so that the mean stands.
    const [soldNow, priceNow] = [74 / 5, 35 / 5];
    expect(learn(sales(['a', 1, 1], ['b', 1, 1]))).toEqual([
      [12 - soldNow, 10 - soldNow, 8 - priceNow],
      [21 - soldNow, 0, 8 - priceNow],
    ]);
  });

  it('sees the rows before it in a dataset, however they are cut, and never held-out ones', () => {
    const rows = sales(...Array.from({ length: 40 }, (_, i) => ['ab'[i % 2] ?? '', i, i] as const));
    const learnt = Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 5 !== 0);
    const derivation = deriveInOrder(own);
    const whole = lags(derivation.add(rows, learnt));
    const mean = learnt.slice(0, -1).reduce((sum, i) => sum + i, 0) / (learnt.length - 1);
    expect(whole[39]).toEqual([37 - mean, 31 - mean, 37 - mean]);
    const again = deriveInOrder(own);
    const first = lags(
      again.add(
        sliceSamples(rows, 0, 13, own),
        learnt.filter((i) => i < 13),
      ),
    );
    const resumed = deriveInOrder(own, again.known());
    const second = resumed.add(
      sliceSamples(rows, 13, 40, own),
      learnt.filter((i) => i >= 13).map((i) => i - 13),
    );
    expect([...first, ...lags(second)]).toEqual(whole);
    expect(resumed.history()).toEqual(derivation.history());
  });

  it('goes on behind a dataset with what was newest there', () => {
    const [columns] = own.lags ?? [];
    if (columns === undefined) throw new Error('no lag');
    const of = (...labels: number[]) =>
      addLags(columns, emptyLags(columns), sales(...labels.map((x) => ['a', 0, x] as const)), own);
    expect(mergeLags(columns, of(1, 2), of(3, 4))).toEqual(of(1, 2, 3, 4));
    expect(mergeLags(columns, of(1, 2, 3), of())).toEqual(of(1, 2, 3));
    expect(mergeLags(columns, of(), of(1, 2))).toEqual(of(1, 2));
  });

  it('leaves out what is missing in its source, in a dataset too', () => {
    const features: SpecInput['features'] = {
      p: { type: 'number', missing: 'mean' },
      before: { type: 'lag', source: 'p' },
    };
    const numbers = createEncoder(defineSpec({ model: 'm', task: 'binary', features }));
    const { samples } = numbers.encode(
      [10, null, 30, null, 50].map((p) => ({ features: { p }, label: true })),
    );
    const derived = deriveInOrder(numbers.layout).add(samples, [0, 1, 2, 3, 4]);
    const column = Array.from(derived.raw).filter((_, i) => i % 3 === 2);
    // Beside the means so far: 10, 10, 20 and 20.
    expect(column).toEqual([0, 0, 0, 10, 10]);
  });

  it('says which class it was', () => {
    const label = { classes: ['x', 'y', 'z'] };
    const features: SpecInput['features'] = { before: { type: 'lag', steps: [1] } };
    const classes = createEncoder(defineSpec({ model: 'm', task: 'multiclass', label, features }));
    const { samples } = classes.encode([{ features: {}, label: 'y' }]);
    const statistics = withHistoryOf(emptyStatistics(classes.layout), samples, classes.layout);
    expect([...derive(samples, statistics, classes.layout).raw]).toEqual([0, 1, 0]);
  });

  it.each([
    [{ steps: [0] }, 'steps'],
    [{ by: ['nothing'] }, 'features.y.by: names features of the type number or category (nothing'],
    [{ by: ['a', 'b'] }, 'or category (a is no feature, b is no feature)'],
    [
      { source: 'shop' },
      'features.y.source: names features of the type number (shop is a category',
    ],
    [
      { by: ['shop'], buckets: 65_536, steps: [100] },
      'lags have buckets times their greatest step, at most',
    ],
  ])('is refused with what is wrong: %j', (lag, reason) => {
    const y = { type: 'lag' as const, ...lag };
    const shop = { type: 'category' as const };
    expect(() => defineSpec({ model: 'm', task: 'binary', features: { shop, y } })).toThrow(reason);
  });
});
