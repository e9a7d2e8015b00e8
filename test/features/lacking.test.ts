import { describe, expect, it } from 'vitest';
import { rowReader } from '../../lib/datasets/to-sample.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState, type Model } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const features = {
  size: { type: 'number' },
  price: { type: 'number', standardize: 'robust' },
  own: { type: 'number', missing: -1 },
  pixels: { type: 'vector', length: 2 },
  photo: { type: 'image', shape: [2, 2] },
  at: { type: 'timestamp' },
  colour: { type: 'category', values: ['red', 'blue'], dimensions: 2 },
  shop: { type: 'category', buckets: 8, dimensions: 2 },
  words: { type: 'text', buckets: 8 },
  both: { type: 'cross', of: ['colour', 'shop'], buckets: 8, dimensions: 2 },
  usual: { type: 'targetMean', of: ['shop'] },
} satisfies SpecInput['features'];
const input = {
  model: 'm',
  task: 'binary',
  features,
  network: { hidden: [4] },
  online: { experts: 'default' },
} satisfies SpecInput;
const lacking = defineSpec({ ...input, missing: 'learnt' });

const draw = (...place: number[]) => hashIntegers(7, ...place) / 2 ** 32;

function sampleAt(i: number) {
  return {
    features: {
      size: 5 + draw(i, 1),
      price: 100 * draw(i, 2),
      own: draw(i, 3),
      pixels: [draw(i, 4), draw(i, 5)],
      photo: [
        [1, 2],
        [3, draw(i, 6)],
      ],
      at: 1.7e9 + 3_600 * i,
      colour: draw(i, 7) > 0.5 ? 'red' : 'blue',
      shop: `shop ${Math.floor(8 * draw(i, 8))}`,
      words: 'some words',
    } as Record<string, unknown>,
    label: draw(i, 1) > 0.5,
  };
}

/** What is left of a sample, from some of which a feature has vanished. */
function without(i: number, names: readonly string[]) {
  const { features: own, label } = sampleAt(i);
  const left = Object.entries(own).filter(([name]) => !names.includes(name));
  return { features: Object.fromEntries(left), label };
}

async function learnt(model: Model, samples: readonly unknown[]): Promise<Parameters> {
  const encoding = model.encoder.encode(samples);
  expect(encoding.refused).toEqual([]);
  let parameters: Parameters = initialState(model);
  for (let start = 0; start < samples.length; start += 8) {
    const message = sliceSamples(encoding.samples, start, start + 8, model.encoder.layout);
    const learned = await learn(model, parameters, message);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = learned.parameters;
  }
  return parameters;
}

const modelOf = async (spec: Spec) => ({
  name: 'm',
  ...(await compileModel(engine, spec)),
});

/** Whether all numbers of what was learnt are finite. */
function areFinite({ tensors, statistics }: Parameters): boolean {
  const numbers = [...Object.values(tensors).map(({ data }) => data), statistics.mean];
  return numbers.every((each) => each.every(Number.isFinite));
}

const names = Object.keys(sampleAt(0).features);

describe('samples that lack features, where the spec says that they are learnt', () => {
  it('change nothing of what others teach', async () => {
    const samples = Array.from({ length: 64 }, (_, i) => sampleAt(i));
    const plain = await learnt(await modelOf(defineSpec(input)), samples);
    expect((await learnt(await modelOf(lacking), samples)).tensors).toEqual(plain.tensors);
  });

  it.each(names)('are learnt and predicted without %s from the middle on', async (name) => {
    const model = await modelOf(lacking);
    const samples = Array.from({ length: 64 }, (_, i) => without(i, i < 32 ? [] : [name]));
    const parameters = await learnt(model, samples);
    expect(areFinite(parameters)).toBe(true);
    const { samples: asked } = model.encoder.encodeFeatures([without(99, [name])]);
    const [probability = Number.NaN] = await predict(model, parameters, asked);
    expect(probability).toBeGreaterThan(0);
    expect(probability).toBeLessThan(1);
  });

  it.each(names)('are learnt where %s comes only in the middle, and alone', async (name) => {
    const others = names.filter((each) => each !== name);
    const samples = Array.from({ length: 64 }, (_, i) => without(i, i < 32 ? [name] : others));
    expect(areFinite(await learnt(await modelOf(lacking), samples))).toBe(true);
  });

  it('are told, where they have none of them: they are called otherwise there', () => {
    const encoder = createEncoder(defineSpec({ ...input, missing: 'learnt', ignore: 'others' }));
    const misspelt = { features: { Size: 1 }, label: true };
    for (const many of [1, 20]) {
      const { refused } = encoder.encode(Array.from({ length: many }, () => misspelt));
      expect(refused).toHaveLength(many);
      expect(refused[0]).toMatchObject({ field: 'features', code: 'missing' });
      expect(refused[0]?.reason).toContain('none of its features: size, price');
    }
  });

  it('are refused without a label, and with a feature that is none', () => {
    const { encode } = createEncoder(lacking);
    const { refused } = encode([
      { features: { size: 1 } },
      { features: { size: 1, sise: 2 }, label: true },
      { features: { size: 'large' }, label: true },
    ]);
    expect(refused.map(({ field }) => field)).toEqual(['label', 'features.sise', 'features.size']);
  });

  it('are learnt whatever words stand for a missing value', () => {
    const cells = { missing: ['', 'Missing', 'missing 2'] };
    const { encode } = createEncoder(defineSpec({ ...input, missing: 'learnt', cells }));
    const { refused } = encode([without(1, ['colour', 'shop'])]);
    expect(refused).toEqual([]);
  });

  it('are learnt as rows that name features and have no value', () => {
    const row = Object.fromEntries(names.map((name) => [name, null]));
    const { toSample } = rowReader(lacking);
    const samples = [toSample({ ...row, label: 1 }), { features: row, label: 1 }];
    expect(createEncoder(lacking).encode(samples).refused).toEqual([]);
  });

  it('say so where a feature asks for it', () => {
    const size = { type: 'number' as const, indicator: true };
    const { features: own } = defineSpec({ ...input, missing: 'learnt', features: { size } });
    expect(own.size).toEqual({
      type: 'number',
      standardize: true,
      missing: 'mean',
      indicator: true,
    });
  });

  it('are read as they were by a spec that is declared from its own', () => {
    expect(defineSpec(lacking)).toEqual(lacking);
  });
});
