import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnAll } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const declared = {
  model: 'returns',
  task: 'binary',
  features: { a: { type: 'number' } },
  network: { hidden: [32] },
} satisfies SpecInput;
const labelWindow = { hours: 1, default: false };
const draw = (...place: number[]) => hashIntegers(5, ...place) / 2 ** 32;

/**
 * The log loss of what is predicted between messages, beside that of the true share, where labels
 * come class by class: those that somebody sent, and defaults of the same questions.
 */
async function besideTheShare(online: SpecInput['online'], { size, share }: Arrival) {
  const spec = defineSpec({ ...declared, online });
  const model = { name: 'returns', ...(await compileModel(engine, spec)) };
  let parameters = model.initial;
  const losses = { own: 0, usual: 0 };
  const rounds = Math.ceil(2_000 / size);
  for (let round = 0; round < rounds; round++) {
    const rows = Array.from({ length: size }, (_, i) => ({
      features: { a: draw(round, i) },
      label: draw(round, i, 1) < share,
    }));
    const ofClass = (label: boolean) => rows.filter((row) => row.label === label);
    const [first, second] = draw(round, 2) < 0.5 ? [true, false] : [false, true];
    for (const label of [first, second]) {
      const { samples } = model.encoder.encode(ofClass(label));
      if (samples.count > 0) ({ parameters } = await learnAll(model, parameters, samples));
      if (round < rounds / 2) continue;
      const [said = 0] = await predict(model, parameters, model.encoder.encode(rows).samples);
      for (const row of rows) {
        losses.own -= Math.log(row.label ? said : 1 - said);
        losses.usual -= Math.log(row.label ? share : 1 - share);
      }
    }
  }
  return losses.own / losses.usual;
}

type Arrival = { readonly size: number; readonly share: number };

describe('the default experts beside a label window', () => {
  it('leave out those that mind in which order labels come', () => {
    const named = defineSpec({ ...declared, online: { experts: 'default', labelWindow } });
    const { experts = [] } = named.online;
    expect(experts.length).toBeGreaterThan(4);
    expect(experts).toContainEqual({ predicts: 'prior' });
    expect(JSON.stringify(experts)).not.toMatch(/lastLabel|stack|halfLife/);
  });

  it.each([
    { size: 20, share: 0.1 },
    { size: 20, share: 0.3 },
  ])('know the share of classes that come one by one: %j', async (arrival) => {
    expect(await besideTheShare({ experts: 'default', labelWindow }, arrival)).toBeLessThan(1.1);
    expect(await besideTheShare({ experts: 'default' }, arrival)).toBeGreaterThan(1.1);
  });
});
