import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { bestConstant } from '../../lib/metrics/best-constant.ts';
import type { Scores } from '../../lib/metrics/scores.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const count = 600;
const prior = { predicts: 'prior' as const };

const draw = (...place: number[]) => hashIntegers(11, ...place) / 2 ** 31 - 1;
/** Readings as they come: far from 0, and of different scales. */
const readings = (i: number) => [0, 1, 2].map((column) => draw(i, column));
const features = { a: { type: 'number' }, b: { type: 'number' }, c: { type: 'number' } } as const;
const sample = (i: number, label: unknown) => {
  const [a = 0, b = 0, c = 0] = readings(i);
  return { features: { a: 500 + 30 * a, b: 0.01 * b, c: 1e6 * c }, label };
};

/** Seven heaps of readings, each a class. */
const heaps = Array.from({ length: 7 }, (_, k) => [0, 1, 2].map((column) => draw(k, column, 99)));
const heaped = (i: number) => {
  const heap = i % heaps.length;
  const [a = 0, b = 0, c = 0] = (heaps[heap] ?? []).map((x, column) => x + 0.1 * draw(i, column));
  return { features: { a: 500 + 30 * a, b: 0.01 * b, c: 1e6 * c }, label: `heap ${heap}` };
};

const streams: Readonly<Record<string, { spec: Partial<SpecInput>; samples: unknown[] }>> = {
  'a regression far from 0': {
    spec: { task: 'regression' },
    samples: Array.from({ length: count }, (_, i) => {
      const [a = 0, b = 0, c = 0] = readings(i);
      return sample(i, 846 + 200 * (a + b * c));
    }),
  },
  'labels that are seconds since 1970, half a minute apart': {
    spec: { task: 'regression' },
    samples: Array.from({ length: count }, (_, i) => {
      const [a = 0, b = 0, c = 0] = readings(i);
      return sample(i, 1_790_000_000 + 30 * (a + b * c));
    }),
  },
  'a binary task': {
    spec: { task: 'binary' },
    samples: Array.from({ length: count }, (_, i) => {
      const [a = 0, b = 0] = readings(i);
      return sample(i, a + 0.5 * b > 0);
    }),
  },
  'seven classes': {
    spec: { task: 'multiclass', label: { classes: heaps.map((_, k) => `heap ${k}`) } },
    samples: Array.from({ length: count }, (_, i) => heaped(i)),
  },
};

/** The scores of messages, each predicted before it was learnt; and of the latter half alone. */
async function learnStream(spec: SpecInput, samples: readonly unknown[], size: number) {
  const model = { name: spec.model, ...(await compileModel(engine, defineSpec(spec))) };
  const { samples: encoded } = model.encoder.encode(samples);
  let parameters: Parameters = initialState(model);
  const scores: Scores[] = [];
  for (let start = 0; start < count; start += size) {
    const message = sliceSamples(encoded, start, start + size, model.encoder.layout);
    const learned = await learn(model, parameters, message);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = learned.parameters;
    scores.push(learned.scores);
  }
  const half = scores.slice(scores.length / 2);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    loss: sum(half.map(({ loss }) => loss)) / sum(half.map(({ weight }) => weight)),
    accuracy: sum(half.map(({ correct }) => correct)) / sum(half.map(({ samples: n }) => n)),
    baseline: bestConstant(model.spec, encoded).loss,
  };
}

describe('what a newcomer declares', () => {
  const sizes = [1, 10, 100];
  it.each(Object.keys(streams).flatMap((name) => sizes.map((size) => ({ name, size }))))(
    'learns $name within some hundred samples, in messages of $size',
    async ({ name, size }) => {
      const { spec = {}, samples = [] } = streams[name] ?? {};
      for (const hidden of [[32], [64, 64]]) {
        const declared = { model: 'new', task: 'binary' as const, features, network: { hidden } };
        const { loss, accuracy, baseline } = await learnStream(
          { ...declared, ...spec },
          samples,
          size,
        );
        // In the label's own unit: 20,000 is half the variance of the regression's labels.
        expect(loss).toBeLessThan((size === 100 ? 0.75 : 0.3) * baseline);
        if (spec.task !== 'regression') expect(accuracy).toBeGreaterThan(0.85);
      }
    },
  );

  it.each(sizes)('is no worse than the labels alone, in messages of %i', async (size) => {
    const rare = Array.from({ length: count }, (_, i) => sample(i, draw(i, 6) > 0.96));
    const noise = Array.from({ length: count }, (_, i) => sample(i, draw(i, 6)));
    const wrong = noise.map((each, i) => (i === 20 ? { ...each, label: 1e7 } : each));
    const shape = (i: number) => 4 * (draw(i, 0) + draw(i, 1));
    const powers = Array.from({ length: count }, (_, i) => sample(i, Math.exp(shape(i))));
    for (const [task, samples] of [
      ['binary', rare],
      ['regression', noise],
      ['regression', wrong],
      ['regression', powers],
    ] as const) {
      for (const hidden of [[], [32]]) {
        const declared = { model: 'new', task, features, network: { hidden } };
        const alone = { ...declared, online: { experts: [{ hidden: [], rate: 1e-9 }, prior] } };
        const { loss } = await learnStream(declared, samples, size);
        const { loss: ofLabels } = await learnStream(alone, samples, size);
        // Three messages of 100 are few to judge by.
        expect(loss).toBeLessThan((size === 100 ? 1.25 : 1.1) * ofLabels);
      }
    }
  });

  it.each([2, 3])(
    'follows %i classes that follow one another, by the default experts',
    async (classes) => {
      const labels: number[] = [];
      for (let i = 0; i < count; i++)
        labels.push(((labels.at(-1) ?? 0) + (draw(i, 7) < 0.8 ? 1 : 0)) % classes);
      const names = Array.from({ length: classes }, (_, k) => `class ${k}`);
      const isBinary = classes === 2;
      const declared: SpecInput = {
        model: 'new',
        task: isBinary ? 'binary' : 'multiclass',
        features,
        ...(isBinary ? {} : { label: { classes: names } }),
        online: { experts: 'default' },
      };
      const samples = labels.map((label, i) => sample(i, isBinary ? label === 1 : names[label]));
      // Nine of ten go on to the next class; no reading says anything.
      expect((await learnStream(declared, samples, 1)).accuracy).toBeGreaterThan(0.83);
    },
  );

  it.each(sizes)('weighs labels and experts as samples are, in messages of %i', async (size) => {
    const isHeavy = (i: number) => draw(i, 6) > 0.9;
    const rare = Array.from({ length: count }, (_, i) => ({
      ...sample(i, isHeavy(i)),
      weight: isHeavy(i) ? 19 : 1,
    }));
    const high = Array.from({ length: count }, (_, i) => ({
      ...sample(i, isHeavy(i) ? 10 + draw(i, 7) : draw(i, 7)),
      weight: isHeavy(i) ? 20 : 0.1,
    }));
    for (const [task, samples] of [
      ['binary', rare],
      ['regression', high],
    ] as const) {
      const spec = { model: 'new', task, features, network: { hidden: [4] } };
      const { loss, baseline } = await learnStream(spec, samples, size);
      const optimizer = { type: 'adagrad' as const, rate: 0.1 };
      const { loss: ofNetwork } = await learnStream({ ...spec, optimizer }, samples, size);
      expect(loss).toBeLessThan(0.85 * ofNetwork);
      if (size === 100) expect(loss).toBeLessThan(1.1 * baseline);
    }
  });

  it('has an expert that knows the mean of labels, standardised or not', async () => {
    const samples = Array.from({ length: count }, (_, i) => sample(i, 100 + draw(i, 5)));
    for (const loss of ['halfMeanSquaredError', 'huber'] as const) {
      const online = { experts: [{ hidden: [] }, { predicts: 'prior' as const }] };
      const spec = { model: 'new', task: 'regression' as const, features, loss, online };
      // The readings say nothing of labels whose variance is a third.
      expect((await learnStream(spec, samples, 1)).loss).toBeLessThan(0.2);
    }
  });

  it('predicts the mean, or nothing, before a linear model has learnt something', async () => {
    const spec = defineSpec({ model: 'new', task: 'binary', features });
    const model = { name: 'new', ...(await compileModel(engine, spec)) };
    const { samples } = model.encoder.encode([sample(1, true)]);
    expect([...(await predict(model, initialState(model), samples))]).toEqual([0.5]);
  });
});
