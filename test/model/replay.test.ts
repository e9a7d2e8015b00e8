import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { emptyReplay, keepSome } from '../../lib/state/replay.ts';
import { learnMessages } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const uniform = (...place: number[]) => hashIntegers(7, ...place) / 2 ** 32;

/** A task of the cycle: a place in the plane, where a line of its own tells true from false. */
function sampleOf(task: number, i: number) {
  const turn = (2 * Math.PI * task) / 3;
  const [a, b] = [uniform(task, i, 0) - 0.5, uniform(task, i, 1) - 0.5];
  const label = a * Math.cos(2 * turn) + b * Math.sin(2 * turn) > 0;
  return { features: { x: 2 * Math.cos(turn) + a, y: 2 * Math.sin(turn) + b }, label };
}

async function modelWith(seed: number, online: SpecInput['online']) {
  const spec = defineSpec({
    model: 'cycle',
    task: 'binary',
    features: { x: { type: 'number' }, y: { type: 'number' } },
    network: { hidden: [32] },
    optimizer: { type: 'adagrad', rate: 0.3 },
    online,
    seed,
  });
  return { name: 'cycle', ...(await compileModel(engine, spec)) };
}

/** How well each task is known after two rounds of all of them, 300 samples each, one by one. */
async function accuracies(seed: number, online: SpecInput['online']): Promise<number[]> {
  const model = await modelWith(seed, online);
  const order = [0, 1, 2, 0, 1, 2].flatMap((task, round) =>
    Array.from({ length: 300 }, (_, i) => sampleOf(task, 1_000 * round + i)),
  );
  const { samples } = model.encoder.encode(order);
  let after = model.initial;
  for await (const { learned } of learnMessages(model, samples, 1)) after = learned.parameters;
  return Promise.all(
    [0, 1, 2].map(async (task) => {
      const asked = Array.from({ length: 400 }, (_, i) => sampleOf(task, 10_000 + i));
      const shares = await predict(model, after, model.encoder.encodeFeatures(asked).samples);
      return asked.filter(({ label }, i) => (shares[i] ?? 0) > 0.5 === label).length / 400;
    }),
  );
}

describe('replay', () => {
  it('keeps the last samples, where it is told to', async () => {
    const online = { replay: { size: 5, keep: 'recent' as const } };
    const model = await modelWith(1, online);
    const { layout } = model.encoder;
    let kept = emptyReplay(layout);
    for (const [from, to] of [
      [0, 3],
      [3, 4],
      [4, 9],
      [9, 9],
      [9, 21],
    ] as const) {
      const own = Array.from({ length: to - from }, (_, i) => sampleOf(0, from + i));
      const { samples } = model.encoder.encode(own);
      kept = keepSome(model.spec, kept, samples, { layout, derived: (all) => all });
      const last = Array.from({ length: Math.min(to, 5) }, (_, i) => sampleOf(0, to - 1 - i));
      const wanted = model.encoder.encode(last).samples.raw;
      expect(Array.from(kept.samples.raw).sort()).toEqual(Array.from(wanted).sort());
    }
  });

  it('remembers the earlier tasks of a cycle, by fifteen points or more', async () => {
    const seeds = [1, 2, 3, 4, 5];
    const meanOf = async (online: SpecInput['online']) => {
      const each = await Promise.all(seeds.map((seed) => accuracies(seed, online)));
      return [0, 1, 2].map((task) => each.reduce((sum, all) => sum + (all[task] ?? 0), 0) / 5);
    };
    const [without, replayed] = [await meanOf({ rate: 0.3 }), await meanOf({ replay: {} })];
    for (const earlier of [0, 1])
      expect(replayed[earlier]).toBeGreaterThan((without[earlier] ?? 0) + 0.15);
    expect(replayed[2]).toBeGreaterThan((without[2] ?? 0) - 0.02);
  });
});
