import { describe, expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  modelOf,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const spec: SpecInput = {
  model: 'passes',
  task: 'regression',
  label: { standardize: false },
  features: {
    x: { type: 'number', standardize: false },
    c: { type: 'category', buckets: 16, dimensions: 3 },
  },
  network: { hidden: [4], activation: 'tanh' },
  optimizer: { type: 'adam', rate: 0.02 },
  online: { minibatch: 4, experts: undefined },
};
const samples = Array.from({ length: 37 }, (_, i) => ({
  features: { x: hashIntegers(i, 1) / 2 ** 32, c: hashIntegers(i, 2) % 20 },
  label: hashIntegers(i, 3) / 2 ** 32,
}));

async function learnt(own: SpecInput['online'], times: number): Promise<Parameters> {
  const declared = defineSpec({ ...spec, online: { ...spec.online, experts: [{}, {}], ...own } });
  const model = { name: 'passes', ...(await compileModel(engine, declared)) };
  let parameters: Parameters = initialState(model);
  for (let i = 0; i < times; i++) {
    const learned = await learn(model, parameters, model.encoder.encode(samples).samples);
    if (!learned.ok) throw new Error(learned.reason);
    ({ parameters } = learned);
  }
  return parameters;
}

describe('several passes over a message', () => {
  it('are the message again, where nothing but weights depends on it', async () => {
    const [passes, again] = [await learnt({ passes: 3 }, 1), await learnt({}, 3)];
    const names = Object.keys(passes.tensors).filter((name) => !name.includes('mixture'));
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) expect(passes.tensors[name], name).toEqual(again.tensors[name]);
    expect(passes.step).toBe(again.step);
    // The samples count once all the same.
    expect(passes.statistics.count).toBe(samples.length);
    expect(await learnt({ passes: 1 }, 1)).toEqual(await learnt({}, 1));
  });

  it('are verified, and the same however messages are delivered', async () => {
    const messages = sampleMessages(9, 'till-1');
    const online = { minibatch: 2, passes: 3, replay: { ratio: 2, size: 5 } };
    const worlds = await Promise.all(
      [1, 3, 9].map(async (each) => {
        const world = createWorld({ ...ticketsSpec, online });
        for (let i = 0; i < messages.length; i += each)
          await deliver(world, messages.slice(i, i + each));
        const verified = await verifyModel(world, await modelOf(world), true);
        expect(verified).toMatchObject({ isSame: true });
        return (await foldJournal(world)).tensors;
      }),
    );
    const [first, ...others] = worlds;
    for (const other of others) expect(other).toEqual(first);
  });
});
