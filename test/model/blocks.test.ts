import { expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => (hashIntegers(...(place as [number])) + 0.5) / 2 ** 32;
const declared = {
  model: 'm',
  task: 'regression',
  features: { a: { type: 'number' }, b: { type: 'number', missing: 'mean' } },
  network: { hidden: [8] },
  online: { experts: 'default', minibatch: 4 },
} satisfies SpecInput;

const classOf = (v: number) => ['x', 'y', 'z'][Math.floor(3 * v)];

/** Samples of which some count more than others, and labels that are often 0. */
function samplesOf(count: number, labelOf: (v: number) => unknown) {
  return Array.from({ length: count }, (_, i) => {
    const [a, b, weight] = [draw(i, 1), draw(i, 2), 0.1 + draw(i, 3)];
    const features = i % 5 === 0 ? { a } : { a, b: 10 * b };
    return { features, label: labelOf((a + b) / 2), weight };
  });
}

it.each<readonly [string, Partial<SpecInput>, (v: number) => unknown]>([
  ['numbers', {}, (v) => 100 * v],
  ['numbers that are mostly 0', {}, (v) => (v < 0.6 ? 0 : v)],
  ['several numbers', { label: { outputs: ['u', 'v'] } }, (v) => ({ u: v, v: 1 / v })],
  ['a quantile', { loss: { quantile: 0.9 } }, (v) => v ** 3],
  ['truth', { task: 'binary', label: { classWeights: 'balanced' } }, (v) => v < 0.3],
  ['classes', { task: 'multiclass', label: { classes: ['x', 'y', 'z'] } }, classOf],
  ['classes that come', { task: 'multiclass', label: { maxClasses: 5 } }, classOf],
  [
    'old samples',
    { online: { minibatch: 4, replay: { size: 50, ratio: 2 } }, network: { hidden: [8] } },
    (v) => v,
  ],
  ['a linear network', { online: { minibatch: 4, passes: 2, drift: {} } }, (v) => v],
])('how many samples are worked on at a time changes no bit: %s', async (_, own, labelOf) => {
  const model: Model = {
    name: 'm',
    ...(await compileModel(engine, defineSpec({ ...declared, ...own }))),
  };
  const { compiled } = model;
  // As many products as only one minibatch is worked on for.
  const slow: Model = {
    ...model,
    compiled: { ...compiled, work: { predicted: 1e15, learnt: 1e15, step: 0 } },
  };
  const rows = samplesOf(650, labelOf);
  const answers = [];
  for (const each of [model, slow]) {
    let { initial: parameters } = each;
    for (const [first, end] of [
      [0, 1],
      [1, 300],
      [300, 330],
      [330, 650],
    ]) {
      const { samples } = each.encoder.encode(rows.slice(first, end));
      const learnt = await learn(each, parameters, samples);
      if (!learnt.ok) throw new Error(learnt.reason);
      ({ parameters } = learnt);
    }
    const { samples } = each.encoder.encode(rows);
    answers.push({ parameters, predictions: await predict(each, parameters, samples) });
  }
  expect(answers[1]).toEqual(answers[0]);
});
