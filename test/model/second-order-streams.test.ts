import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inOwnUnit, labelScaleOf, standardize } from '../../lib/features/scaling.ts';
import { score } from '../../lib/metrics/scores.ts';
import { learn, learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { draw, engine } from '../support/second-order.ts';

const rain = new URL('../data/seattle-weather.csv', import.meta.resolve('vega-datasets'));

type Sample = {
  readonly features: Readonly<Record<string, unknown>>;
  readonly label: number;
  readonly weight?: number;
};

async function modelOf(own: Partial<SpecInput>) {
  const spec = defineSpec({
    model: 'm',
    task: 'regression',
    features: { a: { type: 'number' }, b: { type: 'number' } },
    network: { hidden: [] },
    optimizer: { type: 'adagrad', rate: 0.1 },
    online: { experts: [{ hidden: [], secondOrder: true }, { predicts: 'prior' }] },
    ...own,
  });
  return { name: 'm', ...(await compileModel(engine, spec)) };
}

/** What becomes of parameters, and the mean absolute error of what was predicted before. */
async function learnt(
  model: Awaited<ReturnType<typeof modelOf>>,
  parameters: Parameters,
  samples: readonly Sample[],
): Promise<{ readonly parameters: Parameters; readonly error: number }> {
  const learned = await learn(model, parameters, model.encoder.encode(samples).samples);
  if (!learned.ok) throw new Error(learned.reason);
  const off = samples.map(({ label }, i) => Math.abs(label - (learned.predictions[i] ?? 0)));
  return {
    parameters: { ...parameters, ...learned.parameters },
    error: off.reduce((sum, each) => sum + each, 0) / samples.length,
  };
}

describe('experts of second order in a stream', () => {
  it('answer after long messages as they are asked, and not as they learn within them', async () => {
    const [, ...lines] = readFileSync(rain, 'utf8').trim().split('\n');
    const samples = lines.map((line) => {
      const [date, ...numbers] = line.split(',');
      const [precipitation, most, least, wind] = numbers.map(Number);
      return { features: { date, precipitation, most, least, wind }, label: numbers[4]?.trim() };
    });
    const model = await modelOf({
      task: 'multiclass',
      features: {
        date: { type: 'timestamp', parts: ['weekday', 'dayOfYear', 'elapsed'] },
        ...Object.fromEntries(
          ['precipitation', 'most', 'least', 'wind'].map((name) => [name, { type: 'number' }]),
        ),
      },
      label: { classes: [...new Set(samples.map(({ label }) => label ?? ''))] },
      online: { experts: 'default' },
    });
    let parameters: Parameters = model.initial;
    const messages = Array.from({ length: 3 }, (_, i) =>
      model.encoder.encode(samples.slice(500 * i, 500 * (i + 1))),
    );
    for (const message of messages)
      parameters = await learnWithoutTest(model, parameters, message.samples);
    const all = model.encoder.encode(samples).samples;
    const { correct, weight } = score(model.spec, await predict(model, parameters, all), all);
    // (Where they were judged within messages alone, .66: by the days before, and not by the year.)
    expect(correct / weight).toBeGreaterThan(0.74);
  });

  it('are told apart by values that a long message itself has brought', async () => {
    const values = Array.from({ length: 48 }, (_, i) => `v${i}`);
    const meanError = async (c: NonNullable<SpecInput['features']>[string]) => {
      const model = await modelOf({ features: { c }, online: { experts: 'default' } });
      let parameters: Parameters = model.initial;
      let errors = 0;
      for (let message = 0; message < 6; message++) {
        const from = 12 * Math.floor(message / 2);
        const samples = Array.from({ length: 300 }, (_, i) => {
          const value = from + (i % 12);
          return { features: { c: values[value] }, label: 100 * draw(value, 1) + draw(message, i) };
        });
        const next = await learnt(model, parameters, samples);
        parameters = next.parameters;
        // (The first message of new values can only be guessed.)
        if (message % 2 === 1) errors += next.error;
      }
      return errors / 3;
    };
    const listed = await meanError({ type: 'category', values, dimensions: 4 });
    const arriving = { size: 64, admitAfter: 1 };
    const grown = await meanError({ type: 'category', vocabulary: arriving, dimensions: 4 });
    expect(grown).toBeLessThan(1.5 * listed);
    expect(listed).toBeLessThan(5);
  });

  it('keep what they predict where drift is found, whatever is made of it', async () => {
    const predictedBy = async (policy: 'alarm' | 'forget' | 'adapt') => {
      const model = await modelOf({
        features: { a: { type: 'number' } },
        online: {
          experts: [{ hidden: [], secondOrder: true }, { predicts: 'prior' }],
          drift: { policy },
        },
      });
      let parameters: Parameters = model.initial;
      for (let message = 0; message < 25; message++) {
        const samples = Array.from({ length: 32 }, (_, i) => {
          const a = draw(message, i);
          return { features: { a }, label: 5 * a };
        });
        ({ parameters } = await learnt(model, parameters, samples));
      }
      // A world that is another one, of which nothing can be learnt.
      const other = Array.from({ length: 32 }, (_, i) => {
        const a = 10 + 3 * draw(99, i);
        return { features: { a }, label: 5 * a + 100, weight: 1e-30 };
      });
      ({ parameters } = await learnt(model, parameters, other));
      expect(parameters.drift?.found).toBe(1);
      const probe = model.encoder.encode([{ features: { a: 10 }, label: 0 }]).samples;
      const seen = standardize(probe, parameters.statistics, model.scaling);
      const [own] = (await model.compiled.experts?.predictEach(parameters, seen)) ?? [];
      const labels = labelScaleOf(parameters.statistics, model.encoder.layout);
      return inOwnUnit(own ?? new Float32Array(), labels)[0];
    };
    for (const policy of ['alarm', 'forget', 'adapt'] as const)
      expect(await predictedBy(policy), policy).toBeCloseTo(50, 0);
  });

  it.each([1e6, 1e9, 1e12, 1e18])('forget one number of %d again', async (odd) => {
    const model = await modelOf({});
    let parameters: Parameters = model.initial;
    let late = 0;
    for (let message = 0; message < 60; message++) {
      const samples = Array.from({ length: 20 }, (_, i) => {
        const [a, b] = [draw(message, i, 1), draw(message, i, 2)];
        const isOdd = message === 30 && i === 7;
        return { features: { a: isOdd ? odd : a, b }, label: a + 5 * b };
      });
      const next = await learnt(model, parameters, samples);
      parameters = next.parameters;
      if (message >= 40) late += next.error / 20;
    }
    // (What `a` says is lost in one so large, and what `b` says is not.)
    expect(late).toBeLessThan(0.8);
  });
});
