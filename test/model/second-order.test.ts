import { describe, expect, it } from 'vitest';
import { independent, measure, packedSize } from '../../lib/engine/experts/covariance.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';
import {
  draw,
  engine,
  expectNear,
  linearOf,
  ridge,
  samplesOf,
  scale,
} from '../support/second-order.ts';

describe('a linear expert of second order', () => {
  const rows = Array.from({ length: 300 }, (_, i) => {
    const x = [draw(i, 0), draw(i, 1), draw(i, 0) + 0.01 * draw(i, 2)];
    return { x, label: 2 * draw(i, 1) - draw(i, 0) + 0.3 * draw(i, 3) + 0.5 };
  });

  it('is ridge regression, columns that nearly are alike among them', async () => {
    const { compiled } = await linearOf('regression', 3);
    const run = { rate: 1, minibatch: 4, labelScaleAt: () => scale(0, 1) };
    const { state } = await compiled.train(compiled.initial(), samplesOf(rows), run);
    const own = [
      ...(state.tensors['weights/output/bias']?.data ?? []),
      ...(state.tensors['weights/output/kernel']?.data ?? []),
    ];
    const wanted = ridge(rows);
    expectNear(own, wanted, 3);
  });

  it('is the same, wherever the rows are cut, and whatever the labels are scaled by', async () => {
    const { compiled } = await linearOf('regression', 3);
    const all = samplesOf(rows);
    const at = (step: number) => scale(0.1 * step, 1 + 0.02 * step);
    const scaled = {
      ...all,
      labels: all.labels.map(
        (label, i) => (label - 0.1 * Math.floor(i / 4)) / (1 + 0.02 * Math.floor(i / 4)),
      ),
    };
    const run = { rate: 1, minibatch: 4, labelScaleAt: at };
    const whole = await compiled.train(compiled.initial(), scaled, run);
    let { state } = { state: compiled.initial() };
    for (let first = 0; first < 300; first += 60) {
      const order = Int32Array.from({ length: 60 }, (_, i) => first + i);
      ({ state } = await compiled.train(state, scaled, { ...run, order }));
    }
    expect(state).toEqual(whole.state);
    const { mean, deviation } = at(74).outputs[0] ?? { mean: 0, deviation: 1 };
    const wanted = ridge(rows);
    const kernel = state.tensors['weights/output/kernel']?.data ?? [];
    expectNear(
      Array.from(kernel, (weight) => weight * deviation),
      wanted.slice(1),
      2,
    );
    const bias = state.tensors['weights/output/bias']?.data[0] ?? Number.NaN;
    expect(bias * deviation + mean).toBeCloseTo(wanted[0] ?? Number.NaN, 2);
  });

  it('weighs a sample as so many samples', async () => {
    const { compiled } = await linearOf('regression', 3);
    const run = { rate: 1, minibatch: 4, labelScaleAt: () => scale(0, 1) };
    const once = samplesOf(rows.slice(0, 40));
    const often = samplesOf(rows.slice(0, 40).flatMap((row) => [row, row, row]));
    const weighty = { ...once, weights: once.weights.map(() => 3) };
    const [a, b] = await Promise.all(
      [weighty, often].map((samples) => compiled.train(compiled.initial(), samples, run)),
    );
    const kernelOf = (state = a?.state) => state?.tensors['weights/output/kernel']?.data ?? [];
    expectNear(kernelOf(), kernelOf(b?.state), 4);
  });

  it('goes on with weights that came without the scale of their labels', async () => {
    const { compiled } = await linearOf('regression', 3);
    const run = { rate: 1, minibatch: 4, labelScaleAt: () => scale(2, 1 + 1e-7) };
    const { state } = await compiled.train(compiled.initial(), samplesOf(rows), run);
    // As after a drift, or an import: whatever the optimizer keeps is as at first.
    const fresh = Object.entries(compiled.initial().tensors).filter(([name]) =>
      name.startsWith('optimizer/'),
    );
    const without = { ...state, tensors: { ...state.tensors, ...Object.fromEntries(fresh) } };
    const one = { ...run, order: Int32Array.of(0) };
    const { state: next } = await compiled.train(without, samplesOf(rows), one);
    const kernelOf = (of: typeof state) => of.tensors['weights/output/kernel']?.data ?? [];
    expectNear(kernelOf(next), kernelOf(state), 0);
    // The scale is kept to more than float32: many steps do not wear weights away.
    let worn = state;
    const idle = { ...samplesOf(rows), weights: new Float32Array(rows.length) };
    for (let epoch = 0; epoch < 20; epoch++)
      worn = (await compiled.train(worn, idle, { ...run, minibatch: 1 })).state;
    expect(kernelOf(worn)).toEqual(kernelOf(state));
  });

  it('is led no further by a sample of great weight than its weight says', async () => {
    const { compiled } = await linearOf('binary', 1);
    const all = samplesOf(
      Array.from({ length: 400 }, (_, i) => ({ x: [0], label: Number(i === 399) })),
    );
    for (const [weight, least, most] of [
      [10, 0.005, 0.2],
      [1_000, 0.3, 0.95],
      [1e6, 0.9, 1],
    ] as const) {
      const weights = all.weights.map((each, i) => (i === 399 ? weight : each));
      const run = { rate: 1, minibatch: 4 };
      const { state } = await compiled.train(compiled.initial(), { ...all, weights }, run);
      const [share = Number.NaN] = await compiled.predict(state, samplesOf([{ x: [0], label: 0 }]));
      expect(share).toBeGreaterThan(least);
      expect(share).toBeLessThanOrEqual(most);
    }
  });

  it('tells classes apart within few samples', async () => {
    const { compiled } = await linearOf('binary', 3);
    const binary = rows.map(({ x, label }) => ({ x, label: Number(label > 0.5) }));
    const run = { rate: 1, minibatch: 4 };
    const { state } = await compiled.train(compiled.initial(), samplesOf(binary.slice(0, 60)), run);
    const rest = binary.slice(60);
    const answers = await compiled.predict(state, samplesOf(rest));
    const right = rest.filter(({ label }, i) => Number((answers[i] ?? 0) > 0.5) === label).length;
    expect(right / rest.length).toBeGreaterThan(0.88);
  });
});

describe('a covariance', () => {
  it('stays one, whatever is measured', () => {
    const width = 12;
    const covariance = independent(Array.from({ length: width }, () => 1));
    const gain = new Float64Array(width);
    const inputs = new Float64Array(width);
    for (let i = 0; i < 50_000; i++) {
      // Two directions alone, of very different sizes, and now and then a wild one.
      for (let at = 0; at < width; at++)
        inputs[at] = (at % 2 === 0 ? draw(i) : 1e-4 * draw(i, 1)) * (i % 1_000 === 0 ? 1e6 : 1);
      const noise = i % 7 === 0 ? 1e-12 : 1;
      const variance = measure(covariance, inputs, noise, gain);
      expect(variance >= noise && Number.isFinite(variance)).toBe(true);
    }
    for (let at = 0; at < width; at++)
      expect(covariance[packedSize(at + 1) - 1]).toBeGreaterThan(0);
    expect(covariance.every(Number.isFinite)).toBe(true);
  });
});

describe('experts of second order and a stack', () => {
  const awkward: Readonly<Record<string, (i: number) => unknown>> = {
    'labels about 1e9': (i) => 1e9 + draw(i, 1),
    'labels that are alike for long': (i) => (i < 250 ? 3 : draw(i, 1)),
    'labels whose scale jumps': (i) => draw(i, 1) * (i < 250 ? 1 : 1e6),
    'labels about 1e25': (i) => 1e25 * draw(i, 1),
    'labels about 1e-25': (i) => 1e-25 * draw(i, 1),
    'labels of powers of ten': (i) => 10 ** (12 * draw(i, 1)),
  };
  const features: SpecInput['features'] = {
    x: { type: 'number', missing: 'mean' },
    constant: { type: 'number' },
    wild: { type: 'number' },
    word: { type: 'category', vocabulary: { size: 3, admitAfter: 2, expireAfter: 20 } },
    team: { type: 'category', values: ['a', 'b'] },
  };
  const sample = (i: number, label: unknown) => ({
    features: {
      x: i % 5 === 0 ? null : draw(i, 2),
      constant: 4,
      wild: i % 90 === 0 ? 1e12 : draw(i, 3),
      word: `w${hashIntegers(1, Math.floor(i / 30), i % 4) % 9}`,
      team: ['a', 'b', 'c'][i % 3],
    },
    label,
    weight: i % 41 === 0 ? 1e6 : i % 37 === 0 ? 1e-30 : 1,
  });
  const specs: Readonly<Record<string, readonly [SpecInput, (i: number) => unknown]>> = {
    ...Object.fromEntries(
      Object.entries(awkward).map(([name, label]) => [
        name,
        [{ model: 'm', task: 'regression', features }, label] as const,
      ]),
    ),
    'labels as they are': [
      { model: 'm', task: 'regression', features, label: { standardize: false } },
      (i) => draw(i, 1),
    ],
    'several outputs': [
      { model: 'm', task: 'regression', features, label: { outputs: ['p', 'q'] } },
      (i) => ({ p: draw(i, 1), q: 1e5 * draw(i, 2) }),
    ],
    'two classes, one of them rare': [
      { model: 'm', task: 'binary', features },
      (i) => i % 60 === 59,
    ],
    'classes that come as they like': [
      { model: 'm', task: 'multiclass', features, label: { maxClasses: 9 } },
      (i) => `c${Math.floor(i / 60) % 8}`,
    ],
  };

  it.each(Object.keys(specs))('stay finite, and answer: %s', async (name) => {
    const [input, label] = specs[name] ?? [];
    if (input === undefined || label === undefined) throw new Error('no spec');
    const spec = defineSpec({ ...input, missing: 'learnt', online: { experts: 'default' } });
    expect(spec.online.experts).toContainEqual({ predicts: 'stack' });
    const model = { name: 'm', ...(await compileModel(engine, spec)) };
    const { samples, refused } = model.encoder.encode(
      Array.from({ length: 500 }, (_, i) => sample(i, label(i))),
    );
    expect(refused).toEqual([]);
    for await (const { learned } of learnMessages(model, samples, 25)) {
      expect(learned.predictions.every((each) => Number.isFinite(each))).toBe(true);
      const { tensors } = learned.parameters;
      const odd = Object.entries(tensors).filter(([, { data }]) => !data.every(Number.isFinite));
      expect(odd.map(([tensor]) => tensor)).toEqual([]);
      const shares = learned.predictions.length / learned.samples.count;
      for (
        let at = 0;
        spec.task === 'multiclass' && at < learned.predictions.length;
        at += shares
      ) {
        const own = Array.from(learned.predictions.subarray(at, at + shares));
        expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
      }
    }
  });
});
