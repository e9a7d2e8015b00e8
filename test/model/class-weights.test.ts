import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { classWeightsOf, countClasses, weighed } from '../../lib/features/class-weights.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { sliceSamples } from '../../lib/features/samples.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => hashIntegers(23, ...place) / 2 ** 31 - 1;

const features = { a: { type: 'number' }, b: { type: 'number' } } as const;
const count = 4_000;
/** One in a hundred is true; those lie further up, among many that are not. */
const rare = Array.from({ length: count }, (_, i) => {
  const label = draw(i, 9) > 0.98;
  const around = (column: number) => [1, 2, 3, 4].reduce((sum, k) => sum + draw(i, column, k), 0);
  return { features: { a: around(0) + Number(label), b: around(1) + Number(label) }, label };
});

/** The share of each class that was told, of the latter half of a stream. */
async function recalls(spec: SpecInput, size: number): Promise<readonly number[]> {
  const model = { name: spec.model, ...(await compileModel(engine, defineSpec(spec))) };
  const { samples } = model.encoder.encode(rare);
  let parameters: Parameters = initialState(model);
  const right = [0, 0];
  const seen = [0, 0];
  for (let start = 0; start < count; start += size) {
    const message = sliceSamples(samples, start, start + size, model.encoder.layout);
    const predicted = await predict(model, parameters, message);
    const learned = await learn(model, parameters, message);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = learned.parameters;
    if (start < count / 2) continue;
    message.labels.forEach((label, row) => {
      seen[label] = (seen[label] ?? 0) + 1;
      if (Number((predicted[row] ?? 0) > 0.5) === label) right[label] = (right[label] ?? 0) + 1;
    });
  }
  return right.map((each, label) => each / (seen[label] ?? 0));
}

const declared: SpecInput = { model: 'rare', task: 'binary', features, network: { hidden: [16] } };
const balanced = { classWeights: 'balanced' as const };

describe('class weights', () => {
  it.each([1, 10, 100])('tell the one in a hundred, in messages of %i', async (size) => {
    const experts = { experts: 'default' as const };
    for (const online of size === 1 ? [{}] : [{}, experts]) {
      const mean = async (label: SpecInput['label']) => {
        const [no = 0, yes = 0] = await recalls({ ...declared, online, label }, size);
        return (no + yes) / 2;
      };
      expect((await mean(balanced)) - (await mean({}))).toBeGreaterThan(0.1);
    }
  });

  it('make a step so many times longer, also where it has one sample', async () => {
    const sgd = { type: 'sgd', rate: 0.01 } as const;
    const online = { minibatch: 1 };
    const one = { ...declared, optimizer: sgd, online, network: { hidden: [] } };
    const shifts = await Promise.all(
      [{ ...one, label: { classWeights: { true: 5 } } }, one].map(async (spec) => {
        const model = { name: 'rare', ...(await compileModel(engine, defineSpec(spec))) };
        const { samples } = model.encoder.encode([{ features: { a: 1, b: 2 }, label: true }]);
        const learned = await learn(model, initialState(model), samples);
        if (!learned.ok) throw new Error(learned.reason);
        const bias = Object.entries(learned.parameters.tensors).find(([name]) =>
          name.endsWith('/bias'),
        );
        return bias?.[1].data[0] ?? 0;
      }),
    );
    expect(shifts[1]).not.toBe(0);
    expect((shifts[0] ?? 0) / (shifts[1] ?? 1)).toBeCloseTo(5, 5);
  });

  it('balance what has come, by the weights of samples, and never without bound', () => {
    const spec = { task: 'binary', label: balanced } as const;
    const weightsAt = (...classes: number[]) => [
      ...(classWeightsOf(spec, { classes: Float64Array.from(classes) }) ?? []),
    ];
    expect(weightsAt(0, 0)).toEqual([1, 1]);
    expect(weightsAt(8, 0)).toEqual([5 / 9, 5]);
    expect(weightsAt(1e9, 0)[1]).toBe(100);
    expect([...(classWeightsOf(spec, {}) ?? [])]).toEqual([1, 1]);
  });

  it('never round to nothing, nor to more than there is', async () => {
    const label = { classWeights: { true: 1e-6, false: 1e6 } };
    const model = await compileModel(engine, defineSpec({ ...declared, label }));
    const { samples } = model.encoder.encode([
      { features: { a: 1, b: 1 }, label: true, weight: 1e-44 },
      { features: { a: 1, b: 1 }, label: false, weight: 3e38 },
    ]);
    for (const weight of weighed(samples, model.spec, {}).weights) {
      expect(weight).toBeGreaterThan(0);
      expect(weight).toBeLessThan(Number.POSITIVE_INFINITY);
    }
  });

  it('leave what samples weigh themselves beside it', async () => {
    const { encoder, spec } = await compileModel(
      engine,
      defineSpec({ ...declared, label: { classWeights: { true: 3 } } }),
    );
    const { samples } = encoder.encode([
      { features: { a: 1, b: 1 }, label: true, weight: 2 },
      { features: { a: 1, b: 1 }, label: false, weight: 4 },
    ]);
    const own = weighed(samples, spec, {});
    expect([...own.weights]).toEqual([6, 4]);
    expect([...(own.importance ?? [])]).toEqual([2, 4]);
    // Once is enough.
    expect(weighed(own, spec, {})).toBe(own);
    expect(countClasses(own, { ...encoder.layout, countedClasses: 2 })).toEqual(
      Float64Array.of(4, 2),
    );
  });

  it.each([
    [{ task: 'regression' }, balanced, 'a regression has no classes'],
    [{}, { classWeights: { yes: 2 } }, 'there is no class "yes"; allowed: false, true'],
    [{}, { classWeights: { true: 0 } }, 'spec.label.classWeights'],
    [{}, { classWeights: { '': 1 } }, 'there is no class ""; allowed: false, true'],
    [{}, { classWeights: JSON.parse('{"__proto__": 3}') }, '__proto__ cannot be given a weight'],
    [
      { task: 'multiclass' },
      { classes: ['a', 'b'], classWeights: { true: 2 } },
      'there is no class "true"; allowed: a, b',
    ],
  ] as const)('are refused where they say nothing: %#', (other, label, reason) => {
    const spec = { ...declared, ...other, label } as SpecInput;
    expect(() => defineSpec(spec)).toThrow(reason);
  });
});
