import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { decodeInitialWeights } from '../../lib/model/initial-weights.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';

async function learnt(schedule: NonNullable<SpecInput['online']>['schedule']) {
  const optimizer = { type: 'ftrl', rate: 0.5, l1: 0.2 } as const;
  const world = createWorld({ ...ticketsSpec, optimizer, online: { minibatch: 1, schedule } });
  const messages = sampleMessages(60, 'till-1');
  for (const message of messages) await deliver(world, [message]);
  return { world, state: await foldJournal(world) };
}

describe('ftrl', () => {
  it.each([
    { type: 'cosine', steps: 40 } as const,
    { type: 'exponential', steps: 1, factor: 0.2 } as const,
  ])('keeps its weights where the rate has come to nothing: %j', async (schedule) => {
    const { state } = await learnt(schedule);
    expect(state.learnt).toBe(150);
    for (const { data } of Object.values(state.tensors))
      expect(data.every(Number.isFinite)).toBe(true);
  });
});

describe('a published state', () => {
  it('can be taken for the weights that a model begins with', async () => {
    const { world, state } = await learnt(undefined);
    const body = (await world.store.get(keys.state(ticketsSpec.model)))?.body ?? new Uint8Array();
    const names = Object.keys(decodeInitialWeights(body).tensors).sort();
    const weights = Object.keys(state.tensors).filter((name) => name.startsWith('weights/'));
    expect(names).toEqual(weights.sort());
  });
});
