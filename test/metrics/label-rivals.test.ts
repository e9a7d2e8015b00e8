import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLabelRivals } from '../../lib/metrics/label-rivals.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const features = { x: { type: 'number' } } as const;
const classes = defineSpec({
  model: 'm',
  task: 'multiclass',
  features,
  label: { classes: ['a', 'b', 'c'] },
});
const numbers = defineSpec({ model: 'm', task: 'regression', features });
const two = defineSpec({
  model: 'm',
  task: 'regression',
  features,
  label: { outputs: ['a', 'b'] },
});

const samples = fc.array(
  fc.record({ label: fc.nat(2), weight: fc.constantFrom(1, 0.5, 3), cut: fc.boolean() }),
  { minLength: 1, maxLength: 30 },
);

/** Samples in pieces, as a file is read. */
function pieces<T extends { readonly cut: boolean }>(all: readonly T[]): readonly T[][] {
  const parts: T[][] = [[]];
  for (const each of all) {
    if (each.cut) parts.push([]);
    parts.at(-1)?.push(each);
  }
  return parts;
}

describe('those who look at no feature', () => {
  it('say the commonest class, or the one before', () => {
    fc.assert(
      fc.property(samples, (all) => {
        const rivals = createLabelRivals(classes);
        for (const piece of pieces(all))
          rivals.add({
            labels: Float64Array.from(piece, ({ label }) => label),
            weights: Float32Array.from(piece, ({ weight }) => weight),
          });
        const total = all.reduce((sum, { weight }) => sum + weight, 0);
        const shareOf = (own: number) =>
          all.reduce((sum, { label, weight }) => sum + (label === own ? weight : 0), 0) / total;
        const shares = [0, 1, 2].map(shareOf);
        const entropy = shares.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0);
        const repeated = all.filter(({ label }, i) => label === all[i - 1]?.label);
        const found = rivals.finish();
        expect(found.lossOfLabelsAlone).toBeCloseTo(entropy, 5);
        expect(found.accuracyOfLastLabel).toBeCloseTo(
          repeated.reduce((sum, { weight }) => sum + weight, 0) / total,
          6,
        );
        const present = shares.filter((share) => share > 0).length;
        expect(found.rivals?.prior.balancedAccuracy).toBeCloseTo(1 / present, 9);
        const recalls = [0, 1, 2].flatMap((own) => {
          const of = all.filter(({ label }) => label === own).length;
          return of === 0 ? [] : [repeated.filter(({ label }) => label === own).length / of];
        });
        const balanced = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
        expect(found.rivals?.lastLabel.balancedAccuracy).toBeCloseTo(balanced, 9);
      }),
    );
  });

  it('say the mean, or the number before', () => {
    const rivals = createLabelRivals(numbers);
    rivals.add({ labels: Float64Array.of(1, 3), weights: Float32Array.of(1, 1) });
    rivals.add({ labels: Float64Array.of(8), weights: Float32Array.of(1) });
    const { lossOfLabelsAlone, rivals: found } = rivals.finish();
    expect(lossOfLabelsAlone).toBeCloseTo((9 + 1 + 16) / 6, 9);
    expect(found?.prior.meanAbsoluteError).toBeCloseTo((3 + 1 + 4) / 3, 9);
    // Before the first one says 0, unless something was known of labels.
    expect(found?.lastLabel.meanAbsoluteError).toBeCloseTo((1 + 2 + 5) / 3, 9);
    const later = createLabelRivals(numbers, [4]);
    later.add({ labels: Float64Array.of(1, 3, 8), weights: Float32Array.of(1, 1, 1) });
    expect(later.finish().rivals?.lastLabel.meanAbsoluteError).toBeCloseTo((3 + 2 + 5) / 3, 9);
  });

  it('are never sure of more than they can be', () => {
    const labels = Float64Array.from({ length: 60 }, () => 1);
    const rivals = createLabelRivals(classes);
    rivals.add({ labels, weights: new Float32Array(60).fill(1) });
    expect(rivals.finish().lossOfLabelsAlone).toBe(0);
  });

  it('know no class that has no place, and nobody is right about it', () => {
    const rivals = createLabelRivals(
      defineSpec({ model: 'm', task: 'multiclass', features, label: { maxClasses: 2 } }),
    );
    rivals.add({
      labels: Float64Array.of(1, -1, -1, -1, -1, -1, 1, 1),
      weights: new Float32Array(8).fill(1),
    });
    const found = rivals.finish();
    expect(found.accuracyOfLabelsAlone).toBeCloseTo(3 / 8, 9);
    expect(found.accuracyOfLastLabel).toBeCloseTo(1 / 8, 9);
    expect(found.rivals?.lastLabel.cohensKappa).toBe(0);
  });

  it('say the median by weight, where that is best', () => {
    const spec = defineSpec({ model: 'm', task: 'regression', features, loss: { quantile: 0.5 } });
    const rivals = createLabelRivals(spec);
    rivals.add({ labels: Float64Array.of(0, 0, 10), weights: Float32Array.of(1, 1, 100) });
    expect(rivals.finish().lossOfLabelsAlone).toBeCloseTo(10 / 102, 9);
  });

  it('are the same one, whatever rows weigh', () => {
    const rivals = createLabelRivals(defineSpec({ model: 'm', task: 'binary', features }));
    const labels = Float64Array.from({ length: 100 }, (_, i) => Number(i < 10));
    rivals.add({
      labels,
      weights: Float32Array.from(labels, (label) => (label === 1 ? 1_000 : 1)),
    });
    const found = rivals.finish();
    expect(found.accuracyOfLabelsAlone).toBeCloseTo(10_000 / 10_090, 6);
    expect(found.rivals?.prior).toMatchObject({ recall: 1, precision: 0.1 });
  });

  it('do so of each output', () => {
    const rivals = createLabelRivals(two);
    rivals.add({ labels: Float64Array.of(1, 10), weights: Float32Array.of(1) });
    rivals.add({ labels: Float64Array.of(3, 30, 8, 50), weights: Float32Array.of(1, 1) });
    const { rivals: found } = rivals.finish();
    expect(found?.prior.outputs).toMatchObject({
      a: { meanAbsoluteError: (3 + 1 + 4) / 3 },
      b: { meanAbsoluteError: 40 / 3 },
    });
    expect(found?.lastLabel.outputs).toMatchObject({
      a: { meanAbsoluteError: (1 + 2 + 5) / 3 },
      b: { meanAbsoluteError: (10 + 20 + 20) / 3 },
    });
  });

  it('say nothing of no samples', () => {
    expect(createLabelRivals(classes).finish()).toEqual({});
  });
});
