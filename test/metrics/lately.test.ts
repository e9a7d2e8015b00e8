import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nothingEarned } from '../../lib/metrics/earnings.ts';
import { type Lately, latelyAfter, latelySamples } from '../../lib/metrics/lately.ts';
import { meanLoss } from '../../lib/metrics/scores.ts';
import { metricsOf } from '../../lib/metrics/stream-metrics.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, published, ticket, ticketsSpec } from '../support/world.ts';

const features = { x: { type: 'number' } } as const;
const specs = {
  regression: defineSpec({ model: 'm', task: 'regression', features }),
  binary: defineSpec({ model: 'm', task: 'binary', features }),
  multiclass: defineSpec({
    model: 'm',
    task: 'multiclass',
    features,
    label: { classes: ['a', 'b', 'c'] },
  }),
};

const start = (spec: (typeof specs)['binary' | 'regression' | 'multiclass']): Lately => {
  const { lately } = nothingEarned(spec);
  if (lately === undefined) throw new Error('there is nothing to begin with');
  return lately;
};

/** Samples of a message: label and weight; what a model earned on it is drawn, too. */
const messages = fc.array(
  fc.record({
    samples: fc.array(fc.record({ label: fc.nat(1), weight: fc.constantFrom(0.5, 1, 2) }), {
      minLength: 1,
      maxLength: 400,
    }),
    loss: fc.double({ min: 0, max: 9, noNaN: true }),
  }),
  { minLength: 1, maxLength: 8 },
);

type Message = { samples: { label: number; weight: number }[]; loss: number };

function told({ samples, loss }: Message) {
  const weights = Float32Array.from(samples, (each) => each.weight);
  const weight = weights.reduce((sum, each) => sum + each, 0);
  return {
    labels: Float32Array.from(samples, (each) => each.label),
    weights,
    model: { samples: samples.length, weight, loss, correct: weight / 2 },
    prior: { loss: 2 * loss, correct: weight / 4 },
  };
}

describe('what was earned lately', () => {
  it.each(Object.values(specs))('is a sum in which samples fade ($task)', (spec) => {
    fc.assert(
      fc.property(messages, (list) => {
        const after = list
          .map(told)
          .reduce((sum, each) => latelyAfter(spec, sum, each), start(spec));
        // The definition itself, message by message.
        let later = list.reduce((sum, { samples }) => sum + samples.length, 0);
        let [weight, loss, lastCorrect, label] = [0, 0, 0, undefined as number | undefined];
        for (const { samples, loss: own } of list) {
          later -= samples.length;
          const counts = 0.5 ** (later / latelySamples);
          for (const sample of samples) {
            weight += counts * sample.weight;
            if (spec.task !== 'regression' && sample.label === label)
              lastCorrect += counts * sample.weight;
          }
          loss += counts * own;
          label = samples.at(-1)?.label;
        }
        expect(after.weight / weight).toBeCloseTo(1, 9);
        expect(after.model.loss).toBeCloseTo(loss, 9);
        expect(after.prior.loss).toBeCloseTo(2 * loss, 9);
        expect(after.lastLabel.correct).toBeCloseTo(lastCorrect, 6);
        expect(after.label).toBe(label);
      }),
    );
  });

  it('is of the whole stream while that is short, and in the state of its fold', async () => {
    const world = createWorld();
    const samples = Array.from({ length: 40 }, (_, i) => ticket(i));
    for (const [i, sample] of samples.entries())
      await deliver(world, [message(i + 1, { samples: [sample] })]);
    const state = await published(world);
    const metrics = metricsOf(state, ticketsSpec);
    const runs = samples.filter(({ label }, i) => i > 0 && samples[i - 1]?.label === label).length;
    expect(metrics?.lastLabelAccuracy).toBe(runs / samples.length);
    expect(metrics?.lately?.loss).toBeCloseTo(meanLoss(state.scores), 1);
    expect(metrics?.lately?.baselineLoss).toBeCloseTo(metrics?.baselineLoss ?? Number.NaN, 1);
  });

  it('forgets how bad the beginning was', () => {
    const message = (loss: number) => told({ samples: [{ label: 1, weight: 1 }], loss });
    const bad = Array.from({ length: 5_000 }, () => message(9));
    const good = Array.from({ length: 10 * latelySamples }, () => message(0.1));
    const after = [...bad, ...good].reduce(
      (sum, each) => latelyAfter(specs.binary, sum, each),
      start(specs.binary),
    );
    expect(after.model.loss / after.weight).toBeLessThan(0.15);
  });

  it('is not known of models that were declared before it was', () => {
    expect(nothingEarned({ ...specs.binary, revision: 4 })).not.toHaveProperty('lately');
  });
});
