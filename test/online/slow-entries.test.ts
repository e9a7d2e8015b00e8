import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { limits } from '../../lib/limits.ts';
import type { Message } from '../../lib/online/messages.ts';
import { settleDelivery } from '../../lib/online/settle-delivery.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { slowEngine } from '../support/slow-engine.ts';
import {
  createWorld,
  foldJournal,
  message,
  published,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

/** What is thrown in an invocation that would have been killed. */
const killed = new Error('killed: its time is over');

/** A world with a clock, where learning a minibatch takes some seconds, and all else nothing. */
function slowWorld(secondsAMinibatch: number) {
  const spec = defineSpec({ ...ticketsSpec, online: { minibatch: 2, publishEvery: 100 } });
  const world = createWorld(spec);
  const clock = { seconds: 1.8e9, end: Number.POSITIVE_INFINITY };
  const engine = slowEngine(world.engine, {
    train() {
      clock.seconds += secondsAMinibatch;
      if (clock.seconds >= clock.end) throw killed;
    },
  });
  const ports = { ...world, engine, now: () => clock.seconds * 1_000 };
  /** Does some work as an invocation does that has so many seconds. */
  const invoke = async <Result>(
    seconds: number,
    work: (ports: Ports, secondsLeft: () => number) => Promise<Result>,
  ): Promise<Result> => {
    clock.end = clock.seconds + seconds;
    try {
      return await work({ ...ports }, () => clock.end - clock.seconds);
    } finally {
      clock.end = Number.POSITIVE_INFINITY;
    }
  };
  /** Delivers messages to a function that has loaded nothing yet, until all are settled. */
  const settle = async (messages: readonly Message[]) => {
    let left = messages;
    for (let deliveries = 1; left.length > 0; deliveries++) {
      expect(deliveries).toBeLessThan(10);
      const [update] = await invoke(limits.onlineTimeoutSeconds, (own, secondsLeft) =>
        settleDelivery(own, new Map(), left, secondsLeft),
      );
      if (update?.error !== undefined) throw update.error;
      left = left.filter(({ id }) => update?.unsettled.some((each) => each.id === id));
    }
  };
  return { world, invoke, settle };
}

const messages = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) =>
    message(from + i, { producer: 'p', seq: from + i, samples: [ticket(i), ticket(i + 1)] }),
  );

describe('entries that take long to learn', () => {
  it('are published, though many more may wait for it, and are no longer than a fold may take', async () => {
    const { world, settle } = slowWorld(8);
    await settle(messages(1, 10));
    const { sequence } = await published(world);
    expect(sequence).toBe((await foldJournal(world)).sequence);
    expect(sequence).toBeGreaterThan(1);
    expect((await foldJournal(world)).learnt).toBe(20);
  });

  it('are folded again, as far as the time goes, where what was published is gone', async () => {
    const { world, settle } = slowWorld(8);
    for (let i = 0; i < 6; i++) await settle(messages(1 + 10 * i, 10));
    world.store.remove(keys.state(ticketsSpec.model));
    await settle(messages(61, 1));
    expect((await foldJournal(world)).learnt).toBe(122);
    expect((await published(world)).learnt).toBe(122);
  });

  it('are broken off by who predicts, where there is no time for them', async () => {
    const { world, settle, invoke } = slowWorld(1.5);
    await settle(messages(1, 20));
    world.store.remove(keys.state(ticketsSpec.model));
    const answer = invoke(30, async (ports, secondsLeft) => {
      const model = await openModel(ports, ticketsSpec.model);
      return model.predict([ticket(1)], {}, secondsLeft);
    });
    await expect(answer).rejects.toThrow(/no time is left/);
    await settle(messages(21, 1));
    const open = await openModel(world, ticketsSpec.model);
    expect(await open.predict([ticket(1)])).toMatchObject({ ok: true });
  });
});
