import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noPlace } from '../../lib/features/classes.ts';
import { figuresOf } from '../../lib/metrics/figures.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const features = { x: { type: 'number' as const } };
const binary = defineSpec({ model: 'm', task: 'binary', features });
const three = defineSpec({
  model: 'm',
  task: 'multiclass',
  features,
  label: { classes: ['a', 'b', 'c'] },
});

/** Very sure ones among them, which histograms take for alike. */
const probability = fc.oneof(
  fc.constantFrom(0, 1, 0.5, 1e-30, 3e-30, 1e-9, 1 - 2 ** -24, 1 - 2 ** -22),
  fc.float({ min: 0, max: 1, noNaN: true }),
);
const row = fc.record({
  shares: fc.tuple(probability, probability, probability),
  label: fc.nat(2),
  weight: fc.constantFrom(0.5, 1, 3),
});

/** The share of pairs in order, one by one. */
function areaByPairs(scores: readonly number[], labels: readonly boolean[], weights: number[]) {
  let [ordered, all] = [0, 0];
  scores.forEach((score, i) => {
    scores.forEach((other, j) => {
      if (labels[i] !== true || labels[j] !== false) return;
      const pair = (weights[i] ?? 0) * (weights[j] ?? 0);
      all += pair;
      ordered += pair * (score > other ? 1 : score === other ? 0.5 : 0);
    });
  });
  return ordered / all;
}

describe('the area under the curve of some predictions', () => {
  it('is the share of pairs that are in order, however sure they are', () => {
    let tried = 0;
    fc.assert(
      fc.property(fc.array(row, { minLength: 2, maxLength: 30 }), (rows) => {
        const scores = rows.map(({ shares: [share] }) => Math.fround(share));
        const weights = rows.map(({ weight }) => weight);
        const labels = rows.map(({ label }) => label > 0);
        const exact = areaByPairs(scores, labels, weights);
        fc.pre(Number.isFinite(exact));
        tried += 1;
        const found = figuresOf(binary, Float32Array.from(scores), {
          labels: Float32Array.from(labels, Number),
          weights: Float32Array.from(weights),
        });
        expect(found.areaUnderCurve).toBeCloseTo(exact, 9);
      }),
    );
    expect(tried).toBeGreaterThan(50);
  });

  it('is of several classes the mean of those that have labels, without weights', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 4, maxLength: 30 }), (rows) => {
        const ones = rows.map(() => 1);
        const each = [0, 1, 2].map((place) =>
          areaByPairs(
            rows.map(({ shares }) => Math.fround(shares[place] ?? 0)),
            rows.map(({ label }) => label === place),
            ones,
          ),
        );
        const known = each.filter((area) => Number.isFinite(area));
        fc.pre(known.length > 0);
        const found = figuresOf(three, Float32Array.from(rows.flatMap(({ shares }) => shares)), {
          labels: Float32Array.from(rows, ({ label }) => label),
          weights: Float32Array.from(rows, ({ weight }) => weight),
        });
        const mean = known.reduce((sum, area) => sum + area, 0) / known.length;
        expect(found.areaUnderCurve).toBeCloseTo(mean, 9);
      }),
    );
  });

  it('is of the only class that is known, where they get places as they come', () => {
    const growing = defineSpec({
      model: 'm',
      task: 'multiclass',
      features,
      label: { maxClasses: 5 },
    });
    const shares = [0.9, 0.4, 0.6, 0.1].flatMap((share) => [share, 0, 0, 0, 0]);
    const said = {
      labels: Float32Array.of(0, noPlace, 0, noPlace),
      weights: Float32Array.of(1, 1, 1, 1),
    };
    expect(figuresOf(growing, Float32Array.from(shares), said, ['p']).areaUnderCurve).toBe(1);
  });
});
