import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { figuresOf } from '../../lib/metrics/figures.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { predictSamples } from '../../lib/serving/predict-samples.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => hashIntegers(29, ...place) / 2 ** 31 - 1;

const features = { a: { type: 'number' }, b: { type: 'number' } } as const;
const outputs = ['sum', 'difference in thousands'];
const rows = Array.from({ length: 2_000 }, (_, i) => {
  const [a, b] = [draw(i, 1), draw(i, 2)];
  const noise = draw(i, 3) / 10;
  const label = { sum: a + b + noise, 'difference in thousands': 5_000 + 1_000 * (a - b) };
  return { features: { a, b }, label };
});
const declared: SpecInput = {
  model: 'two',
  task: 'regression',
  features,
  label: { outputs },
};

async function trained(spec: SpecInput, samples: readonly unknown[], size = 20) {
  const model = { name: spec.model, ...(await compileModel(engine, defineSpec(spec))) };
  const { samples: encoded, refused } = model.encoder.encode(samples);
  expect(refused).toEqual([]);
  let parameters: Parameters = initialState(model);
  for (let start = 0; start < encoded.count; start += size) {
    const message = sliceSamples(encoded, start, start + size, model.encoder.layout);
    const learned = await learn(model, parameters, message);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = learned.parameters;
  }
  return { model, parameters, encoded };
}

describe('a regression with several outputs', () => {
  it.each<[string, SpecInput]>([
    ['the usual model', declared],
    ['a hidden layer', { ...declared, network: { hidden: [16] } }],
    ['experts', { ...declared, online: { experts: 'default' } }],
    ['the ONNX engine', { ...declared, engine: 'onnx', optimizer: { type: 'adam', rate: 0.05 } }],
    ['tfjs', { ...declared, engine: 'tfjs', optimizer: { type: 'adam', rate: 0.05 } }],
    ['replay', { ...declared, optimizer: { type: 'sgd', rate: 0.05 }, online: { replay: {} } }],
    ['quantiles', { ...declared, loss: { quantile: 0.5 } }],
    ['drift', { ...declared, online: { drift: {} } }],
  ])('learns each, in its own unit: %s', async (_, spec) => {
    const { model, parameters, encoded } = await trained(spec, rows);
    const figures = figuresOf(model.spec, await predict(model, parameters, encoded), encoded);
    expect(Object.keys(figures.outputs ?? {})).toEqual(outputs);
    expect(figures.outputs?.sum?.meanAbsoluteError).toBeLessThan(0.1);
    expect(figures.outputs?.['difference in thousands']?.meanAbsoluteError).toBeLessThan(60);
    expect(figures.rSquared).toBeGreaterThan(0.95);
    const { predictions } = await predictSamples(model, parameters, rows.slice(0, 1));
    expect(predictions).toEqual([
      { values: { sum: expect.any(Number), 'difference in thousands': expect.any(Number) } },
    ]);
  });
});
