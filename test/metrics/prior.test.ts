import { describe, expect, it } from 'vitest';
import { emptyPrior, priorAfter } from '../../lib/metrics/prior.ts';
import { metricsOf } from '../../lib/metrics/stream-metrics.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { createWorld, deliver, foldJournal, message, ticket } from '../support/world.ts';

const features = { x: { type: 'number' as const } };

/** The prior after messages of labels and weights. */
function priorOf(input: Partial<SpecInput>, messages: readonly (readonly [number[], number[]])[]) {
  const spec = defineSpec({ model: 'm', task: 'binary', features, ...input });
  let prior = emptyPrior(spec);
  let before = { samples: 0, weight: 0 };
  for (const [labels, weights] of messages) {
    const samples = { labels: Float64Array.from(labels), weights: Float32Array.from(weights) };
    prior = priorAfter(spec, prior, before, samples);
    const weight = samples.weights.reduce((sum, each) => sum + each, before.weight);
    before = { samples: before.samples + labels.length, weight };
  }
  return prior;
}

describe('what the labels alone would have earned', () => {
  it('predicts the mean of the labels before a message, weighted', () => {
    const { loss } = priorOf({ task: 'regression' }, [
      [
        [10, 20],
        [1, 3],
      ],
      [
        [17.5, 19.5],
        [2, 1],
      ],
    ]);
    // First 0, then the mean (10 + 3 · 20) / 4 = 17.5; half the squares.
    expect(loss).toBeCloseTo((10 ** 2 + 3 * 20 ** 2 + 2 ** 2) / 2, 10);
  });

  it('predicts the shares of true and false before a message, each seen once more', () => {
    const { loss, correct } = priorOf({}, [
      [
        [1, 1, 0],
        [1, 1, 1],
      ],
      [
        [1, 0],
        [1, 2],
      ],
    ]);
    const shares = [3 / 5, 2 / 5];
    expect(loss).toBeCloseTo(
      -3 * Math.log(1 / 2) - Math.log(shares[0] ?? 0) - 2 * Math.log(shares[1] ?? 0),
      10,
    );
    // A half is no more probable than a half: false, as of any prediction of 0.5.
    expect(correct).toBe(1 + 1);
  });

  it('is the same, however large the unit of the weights is', () => {
    const labels = Array.from({ length: 200 }, (_, i) => Number(i % 50 === 0));
    const meanLoss = (unit: number) => {
      const messages = labels.map((label): [number[], number[]] => [[label], [unit]]);
      return priorOf({}, messages).loss / (unit * labels.length);
    };
    for (const unit of [2 ** -20, 2 ** 20]) expect(meanLoss(unit)).toBeCloseTo(meanLoss(1), 10);
  });

  it('predicts the shares of classes', () => {
    const label = { classes: ['a', 'b', 'c'] };
    const { loss, correct } = priorOf({ task: 'multiclass', label }, [
      [
        [2, 2],
        [1, 1],
      ],
      [
        [2, 0],
        [1, 1],
      ],
    ]);
    expect(loss).toBeCloseTo(-2 * Math.log(1 / 3) - Math.log(3 / 5) - Math.log(1 / 5), 10);
    expect(correct).toBe(1);
  });

  it('lies in the state beside the scores, and says what the model has to beat', async () => {
    const world = createWorld();
    for (let i = 0; i < 30; i++) {
      const samples = Array.from({ length: 5 }, (_, j) => ticket(5 * i + j));
      await deliver(world, [message(i + 1, { samples })]);
    }
    const state = await foldJournal(world);
    const { prior, scores } = state;
    expect((prior?.loss ?? 0) / scores.weight).toBeGreaterThan(0.69);
    expect(scores.loss / scores.weight).toBeLessThan((prior?.loss ?? 0) / scores.weight);
    expect(prior?.sums.reduce((sum, each) => sum + each, 0)).toBe(150);
    expect(decodeCheckpoint(encodeCheckpoint(state)).prior).toEqual(prior);
  });

  it('is shown in the unit of the labels, too, where they are numbers', async () => {
    const world = createWorld({ model: 'tickets', task: 'regression', features });
    const samples = [3, 5].map((label) => ({ features: { x: 1 }, label }));
    await deliver(world, [message(1, { samples })]);
    const metrics = metricsOf(await foldJournal(world), { task: 'regression', label: {} });
    // Before anything was learnt, both predict 0.
    expect(metrics?.baselineRootMeanSquaredError).toBeCloseTo(Math.sqrt((9 + 25) / 2), 10);
    expect(metrics?.rootMeanSquaredError).toBeCloseTo(Math.sqrt((9 + 25) / 2), 10);
    const huber = metricsOf(await foldJournal(world), {
      task: 'regression',
      loss: 'huber',
      label: {},
    });
    // Of the model it is known by its errors, of the labels alone by their loss.
    expect(huber?.rootMeanSquaredError).toBeCloseTo(metrics?.rootMeanSquaredError ?? 0, 9);
    expect(huber?.baselineRootMeanSquaredError).toBeUndefined();
  });
});
