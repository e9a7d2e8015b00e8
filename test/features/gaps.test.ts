import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { scalingOf } from '../../lib/features/columns.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { rateFactor } from '../../lib/features/norm.ts';
import { withoutOutliers } from '../../lib/features/outliers.ts';
import { columnScales, standardize } from '../../lib/features/scaling.ts';
import {
  completed,
  emptyStatistics,
  forgetful,
  mergeStatistics,
  statisticsOf,
} from '../../lib/features/statistics.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import {
  statisticsFrom,
  statisticsMetadata,
  statisticsTensors,
} from '../../lib/state/statistics-file.ts';
import { learnMessages } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });

/** All ways to scale a number of which some values are missing. */
const forms = {
  usual: { type: 'number' },
  forgetting: { type: 'number', halfLife: 64 },
  forgetful: { type: 'number', halfLife: 1 },
  robust: { type: 'number', standardize: 'robust' },
  least: { type: 'number', standardize: 'minMax' },
  greatest: { type: 'number', standardize: 'maxAbs' },
  asItIs: { type: 'number', standardize: false },
  logarithm: { type: 'number', log: true },
  elements: { type: 'vector', length: 1, standardize: true },
  time: { type: 'timestamp', parts: ['elapsed'] },
} satisfies SpecInput['features'];

const declared = (
  p: SpecInput['features'][string],
  online?: SpecInput['online'],
  mayBeMissing = true,
) =>
  defineSpec({
    model: 'm',
    task: 'binary',
    ...(mayBeMissing && { missing: 'learnt' as const }),
    features: { p, q: { type: 'number' } },
    network: { hidden: [8] },
    ...(online && { online }),
  });

function expectClose(
  found: readonly number[] = [],
  wanted: readonly number[] = [],
  digits: number,
) {
  expect(found).toHaveLength(wanted.length);
  for (const [i, each] of wanted.entries()) expect(found[i]).toBeCloseTo(each, digits);
}

/** A sample whose value is not known where it is null. */
const sampleOf = (type: string, p: number | null, label = true) => {
  const value = type === 'vector' && p !== null ? [p] : p;
  return { features: { p: value, q: 0 }, label };
};

describe.each(Object.entries(forms))('missing numbers: %s', (name, form) => {
  const spec = declared(form);
  const { encode, layout } = createEncoder(spec);
  const encoded = (values: readonly (number | null)[]) =>
    encode(values.map((value) => sampleOf(form.type, value))).samples;
  /** Statistics of some values, learnt a few at a time. */
  const learnt = (values: readonly (number | null)[], most: number) => {
    let statistics = emptyStatistics(layout);
    for (let start = 0; start < values.length; start += most) {
      const own = statisticsOf(encoded(values.slice(start, start + most)), layout);
      statistics = mergeStatistics(statistics, own, layout);
    }
    return statistics;
  };
  const scalesBy = (statistics: ReturnType<typeof learnt>) => {
    const { mean, scale, standIn } = columnScales(
      statistics,
      scalingOf(spec),
      layout.isExact === true,
    );
    return [mean[0], scale[0], standIn[0]].map((each = 0) => each);
  };
  const values = fc.array(fc.option(fc.integer({ min: 900, max: 1_100 }), { nil: null }), {
    minLength: 1,
    maxLength: 60,
  });

  it('are scaled as if only those had come that did', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 9 }), (all, most) => {
        const known = all.filter((value) => value !== null);
        const [found, wanted] = [learnt(all, most), learnt(known, known.length || 1)].map(scalesBy);
        expectClose(found, wanted, 6);
      }),
    );
  });

  it('are what stands for them, and nothing else', () => {
    const statistics = learnt([null, 1_000, null, 1_010, 990, 1_004, null], 2);
    const { numbers } = standardize(encoded([null, 1_004]), statistics, scalingOf(spec));
    const [mean = 0, scale = 0, standIn = 0] = scalesBy(statistics);
    expect(numbers[0]).toBeCloseTo((standIn - mean) * scale, 5);
    expect(numbers[2]).not.toBe(numbers[0]);
    const before = standardize(encoded([null]), emptyStatistics(layout), scalingOf(spec));
    expect(before.numbers[0]).toBe(0);
  });

  it('are left out of statistics that are stored, or made to weigh less', () => {
    const statistics = learnt([...Array.from({ length: 80 }, (_, i) => i), null, null], 5);
    const stored = statisticsFrom(statisticsTensors(statistics), statisticsMetadata(statistics));
    expect(stored).toEqual(statistics);
    const less = forgetful(statistics, layout, 50);
    expect(less.counts?.[0]).toBe(50);
    // (Quartiles lie between two values where a share ends there.)
    if (name !== 'robust') expectClose(scalesBy(less), scalesBy(statistics), 9);
  });

  it('leave what is known as it is, however many come at once', () => {
    const known = learnt([1_000, 1_010, 990, 1_004], 2);
    const none = statisticsOf(encoded(Array.from({ length: 1_200 }, () => null)), layout);
    expectClose(scalesBy(mergeStatistics(known, none, layout)), scalesBy(known), 9);
  });

  it('are rarer than others in a world that changed, as they were before', () => {
    const values = Array.from({ length: 2_000 }, (_, i) => (i % 40 === 0 ? i : null));
    const statistics = learnt(values, 100);
    const less = forgetful(statistics, layout, 20);
    expect(less.counts?.[0]).toBe(20);
    if (name === 'robust')
      expect(less.spreads?.[0]?.counts.reduce((sum, count) => sum + count, 0)).toBeCloseTo(20, 9);
    const scaling = { ...scalingOf(spec), normOfTables: 0, isExact: true };
    const [before, after] = [statistics, less].map((each) => rateFactor(each, scaling));
    expect(after).toBeCloseTo(before ?? 0, name === 'robust' ? 1 : 6);
  });

  it('can come where none did in the model whose statistics are taken over', () => {
    const others = createEncoder(declared(form, undefined, false));
    const values = [1_000, 1_010, 990, 1_004].map((value) => sampleOf(form.type, value));
    const taken = completed(statisticsOf(others.encode(values).samples, others.layout), layout);
    const after = mergeStatistics(taken, statisticsOf(encoded([null, null]), layout), layout);
    expectClose(scalesBy(after), scalesBy(taken), 9);
  });
});

/** Which samples of a stream lack a value. */
const gaps = {
  'the first': (i: number) => i === 0,
  'the sixth': (i: number) => i === 5,
  'a message': (i: number) => i >= 16 && i < 32,
  'every third': (i: number) => i % 3 === 0,
  'the first third': (i: number) => i < 600,
  'those in the middle': (i: number) => i >= 600 && i < 1_200,
};

describe.each(['usual', 'forgetting', 'robust', 'time'] as const)('a stream of %s', (name) => {
  const form = forms[name];
  const draw = (...place: number[]) => hashIntegers(7, ...place) / 2 ** 32 - 0.5;

  /** The share of the last samples that were predicted right, of those with a value. */
  async function accuracy(online: SpecInput['online'], isGone: (i: number) => boolean) {
    const model = { name: 'm', ...(await compileModel(engine, declared(form, online))) };
    const rows = Array.from({ length: 1_800 }, (_, i) => {
      const value = 1_000 + 30 * draw(i);
      return { value, isKnown: !isGone(i), label: value > 1_000 };
    });
    const { samples } = model.encoder.encode(
      rows.map(({ value, isKnown, label }) => sampleOf(form.type, isKnown ? value : null, label)),
    );
    const said: number[] = [];
    for await (const { learned } of learnMessages(model, samples, 16))
      said.push(...learned.predictions);
    const right = rows.flatMap(({ isKnown, label }, i) =>
      i >= 1_300 && isKnown ? [(said[i] ?? 0) > 0.5 === label] : [],
    );
    return right.filter(Boolean).length / right.length;
  }

  it.each([undefined, { experts: 'default' as const }])(
    'is learnt as well with gaps: %j',
    async (online) => {
      const whole = await accuracy(online, () => false);
      expect(whole).toBeGreaterThan(0.9);
      for (const [which, isGone] of Object.entries(gaps))
        expect(await accuracy(online, isGone), which).toBeGreaterThan(whole - 0.04);
    },
  );
});

describe('outliers', () => {
  const encoder = createEncoder(declared(forms.usual));
  const judged = (message: readonly (number | null)[], seen?: readonly (number | null)[]) => {
    const encode = (values: readonly (number | null)[]) =>
      encoder.encode(values.map((value) => sampleOf('number', value)));
    const statistics = seen && statisticsOf(encode(seen).samples, encoder.layout);
    return withoutOutliers(encoder, [encode(message)], statistics)[0]?.refused.map(
      ({ index }) => index,
    );
  };
  const [none, some] = [
    Array.from({ length: 40 }, () => null),
    Array.from({ length: 40 }, () => 3),
  ];

  it('are told by the values that came, however many did not', () => {
    expect(judged([4, null, 1e20], [...none, ...some])).toEqual([2]);
    expect(judged([...none, ...some, 1e20])).toEqual([80]);
  });

  it('are not told where too few came', () => {
    expect(judged([4, null, 1e20], [...none, 3])).toEqual([]);
  });
});
