import { expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { allocateSamples, gatherSamples, sliceSamples } from '../../lib/features/samples.ts';
import { meanLoss, score } from '../../lib/metrics/scores.ts';
import { chooseExperts } from '../../lib/model/held-out-experts.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => (hashIntegers(...(place as [number])) + 0.5) / 2 ** 32;
const columns = ['a', 'b', 'c', 'd'];

/** Numbers, and labels that have nothing to do with them; of each as many. */
function noise(set: number, count: number) {
  return Array.from({ length: count }, (_, row) => ({
    features: Object.fromEntries(columns.map((name, i) => [name, draw(set, row, i)])),
    label: row % 2 === 0,
  }));
}

it('held-out rows whose derived columns are known keep them', () => {
  const layout = { numberWidth: 1, categoryCount: 0 };
  const samples = { ...allocateSamples(3, layout), isDerived: true as const };
  expect(gatherSamples(samples, [2, 0], layout).isDerived).toBe(true);
  expect(sliceSamples(samples, 0, 2, layout).isDerived).toBe(true);
});

it('noise that was held out is not predicted better than by its shares', async () => {
  const spec = defineSpec({
    model: 'noise',
    task: 'binary',
    features: Object.fromEntries(columns.map((name) => [name, { type: 'number' as const }])),
    network: { hidden: [8] },
    online: { experts: 'default' },
  });
  const model = { name: 'noise', ...(await compileModel(engine, spec)) };
  const sums = { flattered: 0, own: 0 };
  const sets = 40;
  for (let set = 0; set < sets; set++) {
    const [first, heldOut] = [noise(2 * set, 40), noise(2 * set + 1, 30)].map(
      (rows) => model.encoder.encode(rows).samples,
    );
    if (first === undefined || heldOut === undefined) throw new Error('two sets are drawn');
    const learnt = await learn(model, model.initial, first);
    if (!learnt.ok) throw new Error(learnt.reason);
    const { parameters } = learnt;
    const { chosen, predictions } = await chooseExperts(model, parameters, heldOut);
    sums.flattered += meanLoss(score(spec, await predict(model, chosen, heldOut), heldOut));
    sums.own += meanLoss(score(spec, predictions, heldOut));
  }
  expect(sums.flattered / sets).toBeLessThan(Math.log(2));
  expect(sums.own / sets).toBeGreaterThan(Math.log(2));
});
