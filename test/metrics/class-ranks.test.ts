import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areaOfClasses, movedClassRanks, ranksOfClasses } from '../../lib/metrics/class-ranks.ts';
import { type Earnings, earningsAfter, nothingEarned } from '../../lib/metrics/earnings.ts';
import { latelySamples } from '../../lib/metrics/lately.ts';
import { score } from '../../lib/metrics/scores.ts';
import { metricsOf } from '../../lib/metrics/stream-metrics.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { outcomesFrom, outcomesTensors } from '../../lib/state/outcomes-file.ts';

const declared = (classes: number) =>
  defineSpec({
    model: 'm',
    task: 'multiclass',
    features: { x: { type: 'number' } },
    label: { classes: Array.from({ length: classes }, (_, i) => `class ${i}`) },
  });
const spec = declared(3);

const probability = fc.double({ min: 1e-4, max: 1 - 1e-4, noNaN: true });
const sample = fc.record({
  label: fc.nat(2),
  weight: fc.constantFrom(1, 0.5, 3),
  said: fc.tuple(probability, probability, probability),
});
type Sample = typeof sample extends fc.Arbitrary<infer Of> ? Of : never;
const messages = fc.array(fc.array(sample, { minLength: 1, maxLength: 9 }), {
  minLength: 1,
  maxLength: 6,
});

const told = (message: readonly Sample[]) => ({
  predictions: Float64Array.from(message.flatMap(({ said }) => said)),
  samples: {
    labels: Float64Array.from(message, ({ label }) => label),
    weights: Float32Array.from(message, ({ weight }) => weight),
  },
});

/** What a stream of messages has earned. */
const earnedBy = (all: readonly (readonly Sample[])[]): Earnings =>
  all.reduce((before, message) => {
    const own = told(message);
    const scores = score(spec, own.predictions, own.samples);
    return earningsAfter(spec, before, { ...own, scores });
  }, nothingEarned(spec));

/** The mean area under the curves of each class against the others, pair by pair. */
function areaOf(all: readonly Sample[]): number | undefined {
  const areas = [0, 1, 2].flatMap((place) => {
    const [own, others] = [true, false].map((isOwn) =>
      all.filter(({ label }) => (label === place) === isOwn),
    );
    let [ordered, pairs] = [0, 0];
    for (const a of own ?? [])
      for (const b of others ?? []) {
        const weight = a.weight * b.weight;
        const [first = 0, second = 0] = [a.said[place], b.said[place]];
        pairs += weight;
        ordered += weight * (first > second ? 1 : first === second ? 0.5 : 0);
      }
    return pairs > 0 ? [ordered / pairs] : [];
  });
  return areas.length === 0 ? undefined : areas.reduce((sum, area) => sum + area) / areas.length;
}

describe('the order of predictions of several classes', () => {
  it('comes to the mean area under the curves, as far as its error says', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const metrics = metricsOf(earnedBy(all), spec);
        const exact = areaOf(all.flat());
        expect(metrics?.areaUnderCurve === undefined).toBe(exact === undefined);
        if (exact === undefined) return;
        const { areaUnderCurve = Number.NaN, areaError = 0, lately } = metrics ?? {};
        expect(Math.abs(areaUnderCurve - exact)).toBeLessThan(areaError + 1e-9);
        expect(lately?.areaUnderCurve).toBeDefined();
      }),
    );
  });

  it('fades by the samples behind, and is stored', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const { outcomes } = earnedBy(all);
        const counts = all.map((_, i) => 0.5 ** (all.slice(i + 1).flat().length / latelySamples));
        const parts = all.map((message) => {
          const { predictions, samples } = told(message);
          return ranksOfClasses(spec, predictions, samples);
        });
        outcomes?.classRanks?.lately.forEach((value, place) => {
          const sum = parts.reduce((a, own, i) => a + (counts[i] ?? 0) * (own[place] ?? 0), 0);
          expect(value).toBeCloseTo(sum, 9);
        });
        if (outcomes) expect(outcomesFrom(outcomesTensors(outcomes))).toEqual({ outcomes });
      }),
      { numRuns: 20 },
    );
  });

  it('stays that of a class at another place, and begins anew where one is lost', () => {
    const { outcomes } = earnedBy([
      [
        { label: 0, weight: 1, said: [0.9, 0.3, 0.1] },
        { label: 1, weight: 1, said: [0.2, 0.6, 0.2] },
      ],
    ]);
    const ranks = outcomes?.classRanks;
    if (ranks === undefined) throw new Error('no ranks');
    const moved = movedClassRanks(ranks, ['a', 'b', 'c'], ['b', 'c', 'a']);
    expect(moved.soFar).not.toEqual(ranks.soFar);
    expect(movedClassRanks(moved, ['b', 'c', 'a'], ['a', 'b', 'c'])).toEqual(ranks);
    expect(areaOfClasses(moved.soFar)).toEqual(areaOfClasses(ranks.soFar));
    const lost = movedClassRanks(ranks, ['a', 'b', 'c'], ['a', 'b']);
    expect(areaOfClasses(lost.lately)).toEqual({});
  });

  it('is kept of few classes, and by no earlier rules', () => {
    expect(nothingEarned(declared(32)).outcomes?.classRanks).toBeDefined();
    expect(nothingEarned(declared(33)).outcomes?.classRanks).toBeUndefined();
    expect(nothingEarned({ ...spec, revision: 10 }).outcomes?.classRanks).toBeUndefined();
  });
});
