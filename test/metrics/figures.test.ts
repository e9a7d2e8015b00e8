import { describe, expect, it } from 'vitest';
import { readProgress } from '../../lib/jobs/progress.ts';
import { createFigures, figuresOf, finiteFigures } from '../../lib/metrics/figures.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { runJob, worldWithDataset } from '../support/jobs.ts';
import { ticketsSpec } from '../support/world.ts';

const features = { x: { type: 'number' } } as const;
const binary = defineSpec({ model: 'm', task: 'binary', features });
const three = defineSpec({
  model: 'm',
  task: 'multiclass',
  features,
  label: { classes: ['a', 'b', 'c'] },
});
const numbers = defineSpec({ model: 'm', task: 'regression', features });
const weights = (count: number) => new Float32Array(count).fill(1);

describe('figures of predictions', () => {
  it('say how far what was promised is from what was so', () => {
    // Half of those that were promised .25 were so, three of four of .75, and all of .95.
    const predictions = Float32Array.of(0.25, 0.25, 0.75, 0.75, 0.75, 0.75, 0.95, 0.95);
    const labels = Float32Array.of(0, 1, 1, 1, 1, 0, 1, 1);
    const { calibrationError, accuracy, confusion } = figuresOf(binary, predictions, {
      labels,
      weights: weights(8),
    });
    expect(calibrationError).toBeCloseTo((2 * 0.25 + 0 + 2 * 0.05) / 8, 6);
    expect(accuracy).toBe(6 / 8);
    expect(confusion).toEqual({
      classes: ['false', 'true'],
      counts: [
        [1, 1],
        [1, 5],
      ],
    });
  });

  it('count the class that is named, of several', () => {
    const predictions = Float32Array.of(0.8, 0.1, 0.1, 0.2, 0.2, 0.6, 0.1, 0.8, 0.1);
    const labels = Float32Array.of(0, 1, 1);
    const { calibrationError, accuracy } = figuresOf(three, predictions, {
      labels,
      weights: weights(3),
    });
    expect(accuracy).toBeCloseTo(2 / 3);
    // .6 + .8 + .8 were promised: none of the first was so, both of the others were.
    expect(calibrationError).toBeCloseTo((0.6 + Math.abs(1.6 - 2)) / 3, 6);
  });

  it('order each class against all others, as scikit-learn does', () => {
    // roc_auc_score(labels, predictions, multi_class='ovr', average='macro'): 0.8055555555555557
    const rows = [
      [0.6, 0.3, 0.1],
      [0.2, 0.5, 0.3],
      [0.3, 0.3, 0.4],
      [0.4, 0.35, 0.25],
      [0.1, 0.2, 0.7],
    ];
    const labels = Float32Array.of(0, 1, 1, 2, 2);
    const said = { labels, weights: weights(5) };
    const { areaUnderCurve } = figuresOf(three, Float32Array.from(rows.flat()), said);
    expect(areaUnderCurve).toBeCloseTo(0.8055555555555557, 12);
    // A class that no label has says nothing; without any there is no area.
    const two = { labels: Float32Array.of(0, 1, 1), weights: weights(3) };
    const area = figuresOf(three, Float32Array.from(rows.slice(0, 3).flat()), two).areaUnderCurve;
    expect(area).toBeCloseTo((1 + 0.75) / 2, 12);
    const none = figuresOf(three, Float32Array.from(rows[0] ?? []), {
      labels: Float32Array.of(0),
      weights: weights(1),
    });
    expect(finiteFigures(none).areaUnderCurve).toBeUndefined();
  });

  it('are those of scikit-learn for numbers', () => {
    const predictions = Float32Array.of(2.5, 0, 2, 8);
    const labels = Float32Array.of(3, -0.5, 2, 7);
    const figures = figuresOf(numbers, predictions, { labels, weights: weights(4) });
    expect(figures.meanAbsoluteError).toBeCloseTo(0.5, 6);
    expect(figures.rootMeanSquaredError).toBeCloseTo(Math.sqrt(0.375), 6);
    expect(figures.rSquared).toBeCloseTo(0.9486081370449679, 6);
    expect(figures.accuracy).toBeUndefined();
  });

  it('are the same in parts, and hold no number that JSON cannot', () => {
    const predictions = Float32Array.from({ length: 60 }, (_, i) => ((i * 37) % 60) / 60);
    const labels = Float32Array.from({ length: 60 }, (_, i) => Number((i * 11) % 7 > 3));
    const whole = figuresOf(binary, predictions, { labels, weights: weights(60) });
    const parts = createFigures(binary);
    for (let at = 0; at < 60; at += 20)
      parts.add(predictions.subarray(at, at + 20), {
        labels: labels.subarray(at, at + 20),
        weights: weights(20),
      });
    for (const [name, value] of Object.entries(parts.finish()))
      if (typeof value === 'number')
        expect(value, name).toBeCloseTo(whole[name as 'accuracy'] ?? Number.NaN, 9);
    const none = { labels: new Float32Array(0), weights: weights(0) };
    for (const spec of [binary, three, numbers]) {
      const { loss: _, ...stored } = finiteFigures(figuresOf(spec, new Float32Array(0), none));
      expect(JSON.parse(JSON.stringify(stored))).toEqual(stored);
    }
  });
});

describe('the figures of a job', () => {
  it('are in its progress: of each epoch, and of champion and challenger', async () => {
    const world = await worldWithDataset(ticketsSpec, 80);
    await runJob(world);
    const progress = await readProgress(world.store, ticketsSpec.model, 'first');
    const { heldOutFigures = [], heldOutLosses, comparison } = progress ?? { heldOutLosses: [] };
    expect(heldOutFigures.map(({ loss }) => loss)).toEqual(heldOutLosses);
    for (const each of heldOutFigures)
      expect(each).toMatchObject({
        accuracy: expect.any(Number),
        calibrationError: expect.any(Number),
      });
    const { champion, challenger, figures } = comparison?.heldOut ?? {};
    expect(figures).toMatchObject({
      champion: { loss: champion },
      challenger: { loss: challenger },
    });
    expect(figures?.challenger.confusion?.classes).toEqual(['false', 'true']);
  });
});
