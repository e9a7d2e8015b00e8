import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { allOf } from '../../lib/journal/entry.ts';
import { entriesAfter } from '../../lib/journal/reading.ts';
import { createModel } from '../../lib/model/create-model.ts';
import type { Message } from '../../lib/online/messages.ts';
import { updateModel } from '../../lib/online/update-model.ts';
import { specHash } from '../../lib/spec/identity.ts';
import type { State } from '../../lib/state/state.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  published,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;

/**
 * Delivers until everything is settled, as the event source mapping does; a crash only ends an
 * invocation.
 */
async function deliverUntilSettled(
  world: World,
  messages: readonly Message[],
  size = messages.length,
) {
  let left = [...messages];
  for (let attempt = 0; left.length > 0 && attempt < 50; attempt++) {
    const delivery = left.slice(0, size);
    const settled = await deliver(world, delivery).then(
      (update) => update.settled,
      () => 0,
    );
    left = left.slice(settled);
  }
  expect(left).toEqual([]);
}

/**
 * What two states that learnt the same must have in common: everything but how entries cut the
 * messages.
 */
function learntState({ sequence: _, nonce: ___, ledger, ...rest }: State) {
  return {
    ...rest,
    producers: [...ledger.producers].map(([name, { usedAt: __, ...record }]) => [name, record]),
  };
}

async function journalSamples(world: World): Promise<unknown[]> {
  const learnt: unknown[] = [];
  for await (const { samples } of entriesAfter(world.store, model, 0))
    learnt.push(...allOf(samples));
  return learnt;
}

function sentSamples(messages: readonly Message[]): unknown[] {
  return messages.flatMap(({ body }) => JSON.parse(body).samples);
}

describe('the online update', () => {
  it('learns the samples in order, commits them as they came, and publishes the fold of the journal', async () => {
    const world = createWorld();
    const messages = sampleMessages(5);
    const update = await deliver(world, messages);
    expect(update.settled).toBe(5);
    expect(await journalSamples(world)).toEqual(sentSamples(messages));
    const state = await published(world);
    expect(state.learnt).toBe(sentSamples(messages).length);
    expect(state.scores.samples).toBe(state.learnt);
    expect(state).toEqual(await foldJournal(world));
  });

  it.each([undefined, 'till-1'])(
    'learns a redelivered message once (producer: %s)',
    async (producer) => {
      const world = createWorld();
      const messages = sampleMessages(4, producer);
      await deliver(world, messages);
      const before = await published(world);
      const again = await deliver(world, messages);
      expect(again.settled).toBe(4);
      expect(again.entries).toEqual([]);
      expect(await published(world)).toEqual(before);
    },
  );

  it('learns a message once that its producer sent twice, under another SQS number', async () => {
    const world = createWorld();
    const [first] = sampleMessages(1, 'till-1');
    const repeated = { ...message(9, ''), body: first?.body ?? '' };
    await deliver(
      world,
      [first, repeated].filter((m) => m !== undefined),
    );
    expect((await published(world)).learnt).toBe(1);
  });

  it('learns a message of a queue that was created again, whose numbers begin anew', async () => {
    const world = createWorld();
    await deliver(world, [message(900, { samples: [ticket(1)] })]);
    await deliver(world, [
      message(1, { samples: [ticket(2)] }, 'arn:aws:sqs:us-east-1:000000000000:samples-2.fifo'),
    ]);
    expect((await published(world)).learnt).toBe(2);
  });

  it('ends in the same bits however deliveries group the messages', async () => {
    const messages = sampleMessages(9, 'till-1');
    const worldWith = async (sizes: number[]) => {
      const world = createWorld();
      let start = 0;
      for (const size of [...sizes, messages.length]) {
        await deliver(world, messages.slice(start, start + size));
        start += size;
      }
      return world;
    };
    const whole = learntState(await published(await worldWith([])));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 9 }),
        async (sizes) => {
          expect(learntState(await published(await worldWith(sizes)))).toEqual(whole);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('loses nothing and learns nothing twice, wherever it crashes', async () => {
    const messages = sampleMessages(4, 'till-1');
    const undisturbed = createWorld();
    let calls = 0;
    undisturbed.store.hook = () => void calls++;
    await deliverUntilSettled(undisturbed, messages, 2);
    const expected = learntState(await published(undisturbed));
    expect(calls).toBeGreaterThan(20);
    for (let crashAt = 0; crashAt < calls; crashAt++) {
      const world = createWorld();
      let call = 0;
      world.store.hook = () => {
        if (call++ === crashAt) throw new Error('the machine is gone');
      };
      await deliverUntilSettled(world, messages, 2);
      world.store.hook = () => undefined;
      expect(learntState(await published(world)), `crash at call ${crashAt}`).toEqual(expected);
      expect(await published(world)).toEqual(await foldJournal(world));
      expect(await journalSamples(world)).toEqual(sentSamples(messages));
    }
  });

  it('loses nothing when several invocations work on the same messages at once', async () => {
    const messages = sampleMessages(6, 'till-1');
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const world = createWorld();
        const { hook } = world.store;
        world.store.hook = async () => {
          await scheduler.schedule(Promise.resolve());
        };
        const zombies = [messages, messages.slice(0, 3), messages].map((delivery) =>
          deliver(world, delivery),
        );
        await scheduler.waitFor(Promise.all(zombies));
        world.store.hook = hook;
        await deliverUntilSettled(world, messages);
        expect(await journalSamples(world)).toEqual(sentSamples(messages));
        expect(await published(world)).toEqual(await foldJournal(world));
      }),
      { numRuns: 15 },
    );
  });

  it('commits nothing once only the time to publish is left, and the messages come back', async () => {
    const world = createWorld();
    const update = await deliver(world, sampleMessages(3), () => 5);
    expect(update).toMatchObject({ settled: 0, entries: [] });
    expect(world.store.objects.has(keys.entry(model, 1))).toBe(false);
  });

  it('publishes every Nth entry where the policy says so, and loses none of the others', async () => {
    const world = createWorld({ ...ticketsSpec, online: { minibatch: 2, publishEvery: 3 } });
    const messages = sampleMessages(5);
    for (const one of messages) await deliver(world, [one]);
    expect((await published(world)).sequence).toBe(3);
    expect((await foldJournal(world)).learnt).toBe(sentSamples(messages).length);
  });

  it('goes on from the last kept checkpoint where somebody removed the published one', async () => {
    const world = createWorld(ticketsSpec, { keptCheckpointEntries: 4 });
    const messages = sampleMessages(7);
    for (const one of messages.slice(0, 6)) await deliver(world, [one]);
    world.store.remove(keys.state(model));
    const read: string[] = [];
    world.store.hook = ({ operation, key, when }) => {
      if (operation === 'get' && when === 'after') read.push(key);
    };
    expect((await deliver(world, messages)).settled).toBe(7);
    expect(read).toContain(keys.entry(model, 5));
    expect(read).not.toContain(keys.entry(model, 3));
    expect(await published(world)).toEqual(await foldJournal(world));
  });

  it('far behind its journal, publishes as far as it gets, and settles its messages in the end', async () => {
    const world = createWorld();
    const messages = sampleMessages(9);
    for (const one of messages.slice(0, 8)) await deliver(world, [one]);
    world.store.remove(keys.state(model));
    const reached: number[] = [];
    for (let settled = 0; settled < 9 && reached.length < 9; ) {
      // Time for some entries, and then only for publishing.
      let entries = 0;
      world.store.hook = ({ operation, key, when }) => {
        if (operation === 'get' && when === 'before' && key.includes('/journal/')) entries += 1;
      };
      ({ settled } = await deliver(world, messages, () => (entries > 3 ? 5 : 100)));
      reached.push((await published(world)).sequence);
    }
    expect(reached.length).toBeGreaterThan(2);
    expect(reached).toEqual([...new Set(reached)].sort((a, b) => a - b));
    expect(reached.at(-1)).toBe(9);
    expect(await published(world)).toEqual(await foldJournal(world));
  });

  it('never publishes over a newer state, though its machine is far behind and short of time', async () => {
    const world = createWorld();
    const messages = sampleMessages(4, 'till-1');
    let { cached } = await deliver(world, messages.slice(0, 2));
    await deliver(world, messages);
    const newest = await published(world);
    for (let again = 0; again < 3; again++) {
      ({ cached } = await deliver(world, messages.slice(0, 2), () => 5, cached));
      expect(cached?.state.sequence).toBe(1);
      expect(await published(world)).toEqual(newest);
    }
  });

  it('refuses messages for a model that does not exist', async () => {
    const world = createWorld();
    await expect(updateModel(world, 'nobody', [], { secondsLeft: () => 100 })).rejects.toThrow(
      /there is no model nobody; create it/,
    );
  });

  it('goes on with a model of a release that did not know one of today’s options', async () => {
    const { schedule, ...online } = ticketsSpec.online;
    expect(schedule).toBeDefined();
    const world = createWorld();
    await world.store.put(
      keys.spec(model),
      Buffer.from(JSON.stringify({ ...ticketsSpec, online })),
    );
    const identity = (await modelOf(world)).specHash;
    expect(identity).not.toBe(specHash(ticketsSpec));
    // What that release wrote names the spec as it was stored.
    await deliver(world, sampleMessages(2));
    expect((await published(world)).specHash).toBe(identity);
    await createModel(world, ticketsSpec);
    expect((await deliver(world, sampleMessages(4))).cached?.state.learnt).toBeGreaterThan(0);
  });

  it('stops a model whose spec was changed in place', async () => {
    const world = createWorld();
    await deliver(world, sampleMessages(1));
    await world.store.put(
      keys.spec(model),
      Buffer.from(JSON.stringify({ ...ticketsSpec, seed: 2 })),
    );
    await expect(deliver(world, sampleMessages(2))).rejects.toMatchObject({ kind: 'corrupt' });
  });
});
