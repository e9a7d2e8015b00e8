import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { answeringWeights } from '../../lib/engine/experts/mixture.ts';
import { mixtureOf } from '../../lib/engine/experts/mixture-tensors.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn, learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { newestRevision } from '../../lib/spec/revision.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => hashIntegers(31, ...place) / 2 ** 31 - 1;
const kinds: Readonly<Record<string, Partial<SpecInput>>> = {
  'a regression': { task: 'regression' },
  classes: { task: 'binary' },
  'classes in a world that changes': {
    task: 'binary',
    online: { experts: 'default', drift: { policy: 'alarm' } },
  },
  'a regression whose numbers forget': {
    task: 'regression',
    features: { x: { type: 'number', halfLife: 20 }, y: { type: 'number', missing: 'mean' } },
  },
};

async function modelOf(own: Partial<SpecInput>, revision?: number) {
  const declared = defineSpec({
    model: 'm',
    task: 'regression',
    features: { x: { type: 'number' }, y: { type: 'number', missing: 'mean' } },
    network: { hidden: [32] },
    online: { experts: 'default' },
    ...own,
  });
  const spec = { ...declared, ...(revision !== undefined && { revision }) };
  return { name: 'm', ...(await compileModel(engine, spec)) };
}

/** Samples of which the label is a sum of the numbers. */
function samplesOf(
  { encoder, spec }: Awaited<ReturnType<typeof modelOf>>,
  count: number,
  from = 0,
) {
  const samples = Array.from({ length: count }, (_, at) => {
    const i = from + at;
    const [x, y] = [i + 3 * draw(i, 1), 40 * draw(i, 2)];
    const label = x + 2 * y;
    const features = { x, ...(i % 7 > 0 && { y }) };
    return { features, label: spec.task === 'binary' ? label > 100 : label };
  });
  return encoder.encode(samples).samples;
}

describe('a long message', () => {
  it.each(Object.entries(kinds))('is learnt alike with and without a test: %s', async (_, own) => {
    const model = await modelOf(own);
    let [tested, untested] = [model.initial, model.initial];
    for (const [from, count] of [
      [0, 100],
      [100, 32],
      [132, 33],
      [165, 71],
    ] as const) {
      const samples = samplesOf(model, count, from);
      const learned = await learn(model, tested, samples);
      if (!learned.ok) throw new Error(learned.reason);
      tested = learned.parameters;
      untested = await learnWithoutTest(model, untested, samples);
      expect(untested).toEqual(tested);
    }
  });

  it('tells experts apart while it is learnt, which one of 32 samples does not', async () => {
    const shareOf = async (count: number, revision?: number) => {
      const model = await modelOf({}, revision);
      const learnt = await learnWithoutTest(model, model.initial, samplesOf(model, count));
      const weights = answeringWeights(model.spec, mixtureOf(learnt));
      return Math.max(...weights);
    };
    for (const revision of [13, 20, newestRevision])
      expect(await shareOf(32, revision)).toBe(await shareOf(1, revision));
    expect(await shareOf(500, 13)).toBe(await shareOf(32, 13));
    for (const revision of [20, newestRevision])
      expect(await shareOf(500, revision)).toBeGreaterThan(2 * (await shareOf(32, revision)));
  });

  it('is not answered by its last label as if that had known the mean', async () => {
    const noise = Array.from({ length: 400 }, (_, i) => ({
      features: { x: draw(i, 1), y: draw(i, 2) },
      label: 100 + 7 * draw(i, 3),
    }));
    const errorsOf = async (revision?: number) => {
      const model = await modelOf({}, revision);
      const samples = [0, 200].map((from) => model.encoder.encode(noise.slice(from, from + 200)));
      const first = await learn(model, model.initial, samples[0]?.samples as never);
      if (!first.ok) throw new Error(first.reason);
      const { weights } = mixtureOf(first.parameters);
      const shareOf = (what: string) =>
        weights[
          model.spec.online.experts?.findIndex(
            (each) => 'predicts' in each && each.predicts === what,
          ) ?? -1
        ] ?? 0;
      const [prior, last] = [shareOf('prior'), shareOf('lastLabel')];
      const said = await predict(model, first.parameters, samples[1]?.samples as never);
      const labels = noise.slice(200).map(({ label }) => label);
      const errors = labels.map((label, i) => Math.abs((said[i] ?? 0) - label));
      return { prior, last, error: errors.reduce((a, b) => a + b) / errors.length };
    };
    const [before, now] = [await errorsOf(17), await errorsOf()];
    // Who said 0 of standardised labels was as good as the mean, and repeats one label then.
    expect(before.last).toBeCloseTo(before.prior, 6);
    expect(now.last).toBeLessThan(now.prior / 10);
    expect(now.error).toBeLessThan(before.error);
  });
});
