import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { limits } from '../../lib/limits.ts';
import type { Message } from '../../lib/online/messages.ts';
import { settleDelivery } from '../../lib/online/settle-delivery.ts';
import type { State } from '../../lib/state/state.ts';
import { promote, runJob, worldWithDataset } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const count = 40;

/** Time for some questions of whether there is any left. */
function timeFor(questions: number): () => number {
  let asked = 0;
  return () => (asked++ < questions ? 100 : 0);
}

/** Delivers a message again and again to a function that has little time, until it is settled. */
async function deliverPatiently(world: World, one: Message): Promise<number> {
  for (let deliveries = 1; deliveries < 200; deliveries++) {
    const [outcome] = await settleDelivery(world, new Map(), [one], timeFor(8));
    if (outcome?.error !== undefined) throw outcome.error;
    if (outcome?.unsettled.length === 0) return deliveries;
    // It comes back at once: the next one starts further on.
    expect(outcome?.pauseSeconds).toBe(0);
  }
  throw new Error('it is never settled');
}

async function sameWithTime(world: World, one: Message): Promise<State> {
  await deliver(world, [one]);
  return foldJournal(world);
}

describe('a command that needs longer than an invocation', () => {
  it('goes back to an entry, some entries at a time', async () => {
    const [world, other] = [createWorld(), createWorld()];
    for (const each of sampleMessages(count)) {
      await deliver(world, [each]);
      await deliver(other, [each]);
    }
    const rollback = message(1_000, { rollback: { to: count - 5 } });
    expect(await deliverPatiently(world, rollback)).toBeGreaterThan(3);
    const expected = await sameWithTime(other, rollback);
    expect((await foldJournal(world)).tensors).toEqual(expected.tensors);
  });

  it('promotes a job that is far behind, some entries at a time', async () => {
    const states = await Promise.all(
      [deliverPatiently, sameWithTime].map(async (settle) => {
        const world = await worldWithDataset();
        await runJob(world);
        for (const each of sampleMessages(count)) await deliver(world, [each]);
        const [promotion] = world.sentSamples;
        await settle(world, message(1_000, promotion?.body));
        const stored = world.store.objects.has(keys.caughtUp(model, 'first'));
        expect(stored).toBe(settle === deliverPatiently);
        return foldJournal(world);
      }),
    );
    expect(states[0]?.promoted?.job).toBe('first');
    expect(states[0]?.tensors).toEqual(states[1]?.tensors);
  });

  it('never goes on from a stored challenger that is damaged, or of another journal', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    const messages = sampleMessages(count);
    for (const each of messages) await deliver(world, [each]);
    const promotion = message(1_000, world.sentSamples[0]?.body);
    await settleDelivery(world, new Map(), [promotion], timeFor(8));
    const key = keys.caughtUp(model, 'first');
    const stored = world.store.objects.get(key)?.body ?? new Uint8Array();
    const flipped = Uint8Array.from(stored);
    flipped[flipped.length - 9] = 7;
    const other = await worldWithDataset();
    await runJob(other);
    for (const each of messages.toReversed()) await deliver(other, [each]);
    for (const [where, body] of [
      [world, flipped],
      [other, stored],
    ] as const) {
      await where.store.put(key, body);
      const alone = await worldWithDataset();
      await runJob(alone);
      const sent = where === other ? messages.toReversed() : messages;
      for (const each of sent) await deliver(alone, [each]);
      await promote(alone);
      await promote(where);
      expect((await foldJournal(where)).tensors).toEqual((await foldJournal(alone)).tensors);
    }
  });
});

describe('what could not be settled', () => {
  it('comes back after a pause that grows to its longest, and at once after progress', async () => {
    const world = createWorld();
    const down = {
      ...world,
      store: { ...world.store, get: () => Promise.reject(new Error('away')) },
    };
    const pauses = [];
    for (const receives of [1, 2, 3, 7, 8, 20, 50]) {
      const [one] = sampleMessages(1);
      if (one === undefined) throw new Error('there is a message');
      const [outcome] = await settleDelivery(down, new Map(), [{ ...one, receives }], () => 100);
      pauses.push(outcome?.pauseSeconds);
    }
    expect(pauses).toEqual([1, 2, 4, 64, limits.longestPauseSeconds, 120, 120]);
  });
});
