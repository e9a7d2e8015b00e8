import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/serving/open-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { createRandom } from '../simulation/random.ts';
import { createWorld, deliver, message, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

describe('the labels of a model whose labels come late', () => {
  /** Of two kinds of questions: the share of true ones, of which half come after their default. */
  const shares = { red: 0.2, blue: 0.6 };
  const rounds = 60;

  /** `in-time`: as if all came at once. `alike`: as whole samples, the defaults among them. */
  type How = 'in-time' | 'alike' | 'joined';

  /** What a model says of both kinds, on average over the last rounds of many. */
  async function learnt(how: How, minibatch: number): Promise<readonly [number, number]> {
    const spec: SpecInput = {
      model,
      task: 'binary',
      features: { team: { type: 'category', values: ['red', 'blue'], dimensions: 1 } },
      network: { hidden: [], wide: true },
      optimizer: { type: 'sgd', rate: 0.1 },
      online: { minibatch },
    };
    const world = createWorld(spec);
    const opened = await openModel(world, model);
    const [random, order] = [createRandom(7, 1), createRandom(7, 2)];
    let cached: Awaited<ReturnType<typeof deliver>>['cached'];
    let overdue: object[] = [];
    let sums: readonly [number, number] = [0, 0];
    for (let round = 0; round < rounds; round++) {
      const questions = Array.from({ length: 128 }, (_, i) => ({
        id: round * 128 + i,
        features: { team: i % 2 === 0 ? ('red' as const) : ('blue' as const) },
      }));
      if (how === 'joined') await opened.predict(questions);
      const labels = questions.map(({ id, features }) => {
        const isTrue = random.chance(shares[features.team]);
        const isLate = random.chance(0.5) && isTrue && how !== 'in-time';
        const known = how === 'joined' ? { id } : { features };
        const isDefault = how === 'joined' && (isLate || !isTrue);
        const label = { ...known, label: isTrue && !isLate, ...(isDefault && { default: true }) };
        return { label, late: isLate ? [{ ...known, label: true }] : [] };
      });
      const samples = [...labels.map(({ label }) => label), ...overdue]
        .map((sample) => ({ sample, place: order.next() }))
        .sort((a, b) => a.place - b.place)
        .map(({ sample }) => sample);
      overdue = labels.flatMap(({ late }) => late);
      ({ cached } = await deliver(world, [message(round + 1, { samples })], undefined, cached));
      const asked = Object.keys(shares).map((team) => ({ features: { team } }));
      const answer = await opened.predict(asked, { maxAgeSeconds: 0 });
      const [red = Number.NaN, blue = Number.NaN] = (answer.ok ? answer.predictions : []).map(
        (each) => ('probability' in each ? each.probability : Number.NaN),
      );
      if (round >= rounds / 2) sums = [sums[0] + red, sums[1] + blue];
    }
    return [sums[0] / (rounds / 2), sums[1] / (rounds / 2)];
  }

  it.each([1, 4, 32])('are learnt without bias, %i at a time', async (minibatch) => {
    const inTime = await learnt('in-time', minibatch);
    const alike = await learnt('alike', minibatch);
    const joined = await learnt('joined', minibatch);
    // Uncorrected, a share p of which half is late is seen as p / (1 + p/2): 0.46 for 0.6.
    expect(inTime[1] - alike[1]).toBeGreaterThan(0.1);
    for (const kind of [0, 1] as const)
      expect(Math.abs(joined[kind] - inTime[kind])).toBeLessThan(0.02);
  });
});
