import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { isOfNeighbours } from '../../lib/spec/experts-schema.ts';
import { defineSpec, type Spec } from '../../lib/spec/spec.ts';
import { learnMessages } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const declared = defineSpec({
  model: 'sensors',
  task: 'regression',
  features: { celsius: { type: 'number' }, metres: { type: 'number' } },
  network: { hidden: [32] },
  online: { experts: 'default' },
});

/** Nearly normal, by the sum of twelve. */
function normal(...place: number[]): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += hashIntegers(17, i, ...place) / 2 ** 32;
  return sum;
}

type Numbers = { readonly celsius: number; readonly metres: number };

/** How numbers come in the second half of a stream of 2,000. */
const changes: Readonly<Record<string, (numbers: Numbers, place: number) => Numbers>> = {
  'in other units': ({ celsius, metres }, place) => ({
    celsius: 1.8 * celsius + 32,
    metres: place < 1_300 ? metres : 1_000 * metres,
  }),
  'from another zero': ({ celsius, metres }) => ({ celsius: celsius + 273, metres }),
  'from a sensor that fails for a while': ({ celsius, metres }, place) => ({
    celsius: place < 1_100 ? -999 : celsius,
    metres,
  }),
};

/** The error of the last 500 of a stream's predictions, beside that of the labels' mean. */
async function errorBehind(change: string, spec: Spec): Promise<number> {
  const model = { name: 'sensors', ...(await compileModel(engine, spec)) };
  const rows = Array.from({ length: 2_000 }, (_, i) => {
    const own = { celsius: 20 + 8 * normal(i, 1), metres: Math.exp(2 + normal(i, 2) / 2) };
    const features = (i >= 1_000 && changes[change]?.(own, i)) || own;
    return { features, label: own.celsius / 2 + 2 * own.metres + normal(i, 3) };
  });
  const { samples } = model.encoder.encode(rows);
  const mean = rows.reduce((sum, { label }) => sum + label / rows.length, 0);
  let [own, usual, place] = [0, 0, 0];
  for await (const { message, learned } of learnMessages(model, samples, 100)) {
    if (place >= 1_500)
      message.labels.forEach((label, i) => {
        own += Math.abs((learned.predictions[i] ?? 0) - label);
        usual += Math.abs(mean - label);
      });
    place += message.count;
  }
  return own / usual;
}

describe('the default experts', () => {
  it.each(Object.keys(changes))('learn again what comes %s, in long messages', async (change) => {
    expect(await errorBehind(change, declared)).toBeLessThan(0.4);
  });

  it('answered the mean for long, by the rules and without neighbours, as before', async () => {
    const { online } = declared;
    const experts = online.experts?.filter((each) => !isOfNeighbours(each));
    const before = { ...declared, revision: 20, online: { ...online, experts } };
    expect(await errorBehind('in other units', before)).toBeGreaterThan(0.9);
  });
});
