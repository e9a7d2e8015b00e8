import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { earningsAfter, nothingEarned } from '../../lib/metrics/earnings.ts';
import { figuresOf } from '../../lib/metrics/figures.ts';
import { latelySamples } from '../../lib/metrics/lately.ts';
import {
  addOutcomes,
  areaLately,
  emptyOutcomes,
  noOutcomes,
  outcomeFigures,
  outcomeParts,
  outcomesAfter,
  outcomesOf,
  type Rival,
  rivals,
  type StreamOutcomes,
} from '../../lib/metrics/outcomes.ts';
import { score } from '../../lib/metrics/scores.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const features = { x: { type: 'number' } } as const;
const specs = {
  binary: defineSpec({ model: 'm', task: 'binary', features }),
  multiclass: defineSpec({ model: 'm', task: 'multiclass', features, label: { maxClasses: 4 } }),
  regression: defineSpec({ model: 'm', task: 'regression', features }),
};
type Task = keyof typeof specs;

const probability = fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true });
const sample = fc.record({
  label: fc.nat(3),
  weight: fc.constantFrom(1, 0.5, 3),
  said: fc.tuple(probability, probability, probability, probability),
});
const messages = fc.array(fc.array(sample, { minLength: 1, maxLength: 9 }), { maxLength: 9 });
type Message = readonly { label: number; weight: number; said: readonly number[] }[];

/** The labels of a message as a task has them. */
const labelsOf = (task: Task, message: Message) =>
  message.map(({ label }) => (task === 'binary' ? label % 2 : label));

/** A message as a task has it. */
function told(task: Task, message: Message, weigh = true) {
  const outputs = task === 'multiclass' ? 4 : 1;
  const labels = Float64Array.from(labelsOf(task, message));
  return {
    predictions: Float64Array.from(message.flatMap(({ said }) => said.slice(0, outputs))),
    samples: { labels, weights: Float32Array.from(message, ({ weight }) => (weigh ? weight : 1)) },
  };
}

const outcomesIn = (task: Task, message: Message) => {
  const { predictions, samples } = told(task, message);
  return outcomesOf(specs[task], predictions, samples);
};

/** A stream's outcomes after one more message. */
const learntBy = (before: StreamOutcomes, task: Task, message: Message, weigh = true) => {
  const { predictions, samples } = told(task, message, weigh);
  const model = outcomesOf(specs[task], predictions, samples);
  return outcomesAfter(before, { model }, score(specs[task], predictions, samples));
};

describe.each(Object.keys(specs) as Task[])('how predictions turn out: %s', (task) => {
  const spec = specs[task];

  it('is the same in messages as at once, and fades by the samples behind', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const none = noOutcomes(spec);
        const learnt = all.reduce((sum, message) => learntBy(sum, task, message), none);
        const once = outcomesIn(task, all.flat());
        const counts = all.map((_, i) => 0.5 ** (all.slice(i + 1).flat().length / latelySamples));
        const faded = all.reduce(
          (sum, message, i) => addOutcomes(outcomesIn(task, message), sum, counts[i]),
          emptyOutcomes(spec),
        );
        for (const part of outcomeParts)
          once[part].forEach((value, place) => {
            expect(learnt.soFar[part][place]).toBeCloseTo(value, 9);
            expect(learnt.lately[part][place]).toBeCloseTo(faded[part][place] ?? Number.NaN, 9);
          });
        const ranks = all.map((message) => learntBy(none, task, message).ranks);
        learnt.ranks.forEach((value, place) => {
          const sum = ranks.reduce((a, own, i) => a + (counts[i] ?? 0) * (own[place] ?? 0), 0);
          expect(value).toBeCloseTo(sum, 9);
        });
      }),
    );
  });

  it('comes to the figures of all predictions', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const { predictions, samples } = told(task, all.flat(), false);
        if (samples.labels.length === 0) return;
        const own = outcomesOf(spec, predictions, samples);
        const figures = outcomeFigures(spec, own, samples.labels.length);
        const whole = figuresOf(spec, predictions, samples);
        for (const [name, value] of Object.entries(figures))
          expect(whole[name as keyof typeof figures]).toBeCloseTo(Number(value), 9);
        if (task !== 'binary') return;
        const { areaError = 0, areaUnderCurve = 0.5 } = areaLately(
          learntBy(noOutcomes(spec), task, all.flat(), false),
        );
        const exact = exactArea(predictions, samples.labels);
        if (exact !== undefined)
          expect(Math.abs(areaUnderCurve - exact)).toBeLessThan(areaError + 1e-9);
      }),
    );
  });
});

/** What each rival says behind some samples: a value, or a class if any has come. */
const rivalSays: Record<Rival, (task: Task, before: Message) => number | undefined> = {
  lastLabel: (task, before) =>
    labelsOf(task, before).at(-1) ?? (task === 'regression' ? 0 : undefined),
  prior(task, before) {
    const sum = (own: Message, of: (place: number) => number) =>
      own.reduce((total, { weight }, place) => total + weight * of(place), 0);
    const labels = labelsOf(task, before);
    const weight = sum(before, () => 1);
    if (task === 'regression') return weight > 0 ? sum(before, (i) => labels[i] ?? 0) / weight : 0;
    const sums = [0, 1, 2, 3].map((of) => sum(before, (place) => Number(labels[place] === of)));
    return sums.indexOf(Math.max(...sums));
  },
};

describe.each(Object.keys(specs) as Task[])('those that one has for nothing: %s', (task) => {
  const spec = specs[task];

  it.each(rivals)('%s says the same of all samples of a message', (rival) => {
    fc.assert(
      fc.property(messages, (all) => {
        let earned = nothingEarned(spec);
        const expected = { right: 0, absolute: 0, named: 0 };
        all.forEach((message, i) => {
          const { predictions, samples } = told(task, message);
          const said = rivalSays[rival](task, all.slice(0, i).flat());
          labelsOf(task, message).forEach((label, place) => {
            const weight = message[place]?.weight ?? 0;
            expected.absolute += weight * Math.abs((said ?? 0) - label);
            expected.right += weight * Number(said === label);
            expected.named += weight * Number(said !== undefined);
          });
          const scores = score(spec, predictions, samples);
          earned = earningsAfter(spec, earned, { samples, predictions, scores });
        });
        const { classes, errors } = earned.outcomes?.rivals?.[rival].soFar ?? emptyOutcomes(spec);
        const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
        if (task === 'regression') return void expect(errors[0]).toBeCloseTo(expected.absolute, 9);
        const count = classes.length / 3;
        expect(sum(classes.subarray(count, 2 * count))).toBeCloseTo(expected.named, 9);
        expect(sum(classes.subarray(2 * count))).toBeCloseTo(expected.right, 9);
      }),
    );
  });
});

/** The share of pairs of a true and a false label that are ordered rightly, ties counting half. */
function exactArea(predictions: Float64Array, labels: Float64Array): number | undefined {
  const of = (label: number) => predictions.filter((_, row) => labels[row] === label);
  const [negatives, positives] = [of(0), of(1)];
  if (positives.length === 0 || negatives.length === 0) return undefined;
  let ordered = 0;
  for (const a of positives) for (const b of negatives) ordered += a > b ? 1 : a === b ? 0.5 : 0;
  return ordered / (positives.length * negatives.length);
}
