import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { numberPriors } from '../../lib/engine/experts/number-priors.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';
import { draw } from '../support/one-expert.ts';

const declared = {
  model: 'm',
  task: 'binary',
  features: {
    x: { type: 'number' },
    at: { type: 'timestamp', harmonics: { hour: 3, weekday: 3 } },
    text: { type: 'text', buckets: 16 },
  },
  online: { experts: [{ hidden: [], secondOrder: true }, { predicts: 'prior' }] },
} satisfies SpecInput;

describe('what is expected of numbers before the first sample', () => {
  it('is as much of all of a time as of one number, and more of words', () => {
    const spec = defineSpec(declared);
    const priors = [...numberPriors(spec)];
    const [number, ...others] = priors;
    expect(number).toBe(1);
    expect(others.slice(0, -16).reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 12);
    expect(others.slice(-16)).toEqual(new Array(16).fill(16));
    expect(new Set(numberPriors({ ...spec, revision: 21 }))).toEqual(new Set([1]));
    const ofValues = (revision: number) =>
      numberPriors({ ...spec, task: 'regression', revision }).at(-1);
    expect([22, 23].map(ofValues)).toEqual([16, 4]);
  });

  it('tells words sooner beside times that say nothing', async () => {
    const rows = Array.from({ length: 1_500 }, (_, i) => {
      const word = (k: number) => Math.floor(12 * draw(i, k) ** 2);
      const words = [1, 2, 3, 4, 5].map(word);
      const text = words.map((each) => 'abcdefghijkl'[each]?.repeat(3)).join(' ');
      const logit = 3 * words.filter((each) => each % 3 === 0).length - 6;
      return {
        features: { x: draw(i, 7), at: 1.75e9 + 660 * i, text },
        label: draw(i, 8) < 1 / (1 + Math.exp(-logit)),
      };
    });
    const engine = createEngine({ threads: 1, warn: () => undefined });
    const lossOf = async (spec: Spec) => {
      const model = { name: 'm', ...(await compileModel(engine, spec)) };
      const { samples, refused } = model.encoder.encode(rows);
      expect(refused).toEqual([]);
      let loss = 0;
      const stream = sliceSamples(samples, 0, rows.length, model.encoder.layout);
      for await (const { learned } of learnMessages(model, stream, 50)) loss += learned.scores.loss;
      return loss;
    };
    const spec = defineSpec(declared);
    const [now, before] = [await lossOf(spec), await lossOf({ ...spec, revision: 21 })];
    expect(now).toBeLessThan(0.95 * before);
  });
});
