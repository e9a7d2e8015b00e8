import { expect, it } from 'vitest';
import { createEncoder } from '../../lib/features/encoder.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { createRandom } from '../simulation/random.ts';
import { createWorld } from '../support/world.ts';

/** A linear model over one column of some scale and one of another. */
const specOf = (standardize: 'maxAbs' | false): SpecInput => ({
  model: 'normalised',
  task: 'regression',
  features: { small: { type: 'number', standardize }, large: { type: 'number', standardize } },
  label: { standardize: false },
  network: { hidden: [] },
  optimizer: { type: 'adagrad', rate: 0.5 },
  online: { minibatch: 1 },
});

/** What is predicted of each of 400 samples before it is learnt, and the labels. */
async function learnt(standardize: 'maxAbs' | false, scale: number) {
  const spec = defineSpec(specOf(standardize));
  const { engine } = createWorld(spec);
  const model = { name: spec.model, ...(await compileModel(engine, spec, spec)) };
  const random = createRandom(3, 1);
  const said: number[] = [];
  const labels: number[] = [];
  let parameters = model.initial;
  for (let i = 0; i < 400; i++) {
    // The greatest sizes come early; what changes later is no matter of scale.
    const [small, own] = i === 1 ? [1, -1] : [random.next(), random.next() - 0.5];
    const features = { small, large: own * scale };
    const label = 2 * small - 3 * own;
    const { samples } = createEncoder(spec).encode([{ features, label }]);
    const learned = await learn(model, parameters, samples);
    if (!learned.ok) throw new Error(learned.reason);
    said.push(learned.predictions[0] ?? Number.NaN);
    labels.push(label);
    parameters = learned.parameters;
  }
  return { said, labels };
}

const errorOf = ({ said, labels }: { said: readonly number[]; labels: readonly number[] }) =>
  said.slice(-100).reduce((sum, each, i) => sum + Math.abs(each - (labels.at(i - 100) ?? 0)), 0) /
  100;

it('a column by its greatest size learns the same, however large it is', async () => {
  const [usual, large] = [await learnt('maxAbs', 1), await learnt('maxAbs', 4096)];
  // A power of two changes no digit.
  expect(large.said).toEqual(usual.said);
  expect(errorOf(usual)).toBeLessThan(0.1);
  const [plain, wild] = [await learnt(false, 1), await learnt(false, 4096)];
  expect(errorOf(plain)).toBeLessThan(0.1);
  expect(errorOf(wild)).toBeGreaterThan(10 * errorOf(large));
});
