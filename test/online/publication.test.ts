import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  published,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const publishEvery = 5;
const seldom = { ...ticketsSpec, online: { minibatch: 2, publishEvery } };
const rollback = { rollback: { to: 3 } };

/** The next publication fails: whoever makes it dies. */
function failOnce(world: World): void {
  world.store.hook = ({ operation, key, when }) => {
    if (operation !== 'put' || key !== keys.state(ticketsSpec.model) || when !== 'before') return;
    world.store.hook = () => undefined;
    throw new Error('the machine is gone');
  };
}

/** S3 takes no published state from now on. */
function withoutPublications(world: World): void {
  world.store.hook = ({ operation, key }) => {
    if (operation === 'put' && key === keys.state(ticketsSpec.model))
      throw new MillraceError('unavailable', 'S3 does not answer');
  };
}

describe('a state that is published seldom', () => {
  it('is published when it is due, by whoever comes next, if the one before died', async () => {
    const world = createWorld(seldom);
    const messages = sampleMessages(12, 'till');
    for (const one of messages.slice(0, 4)) await deliver(world, [one]);
    failOnce(world);
    await expect(deliver(world, messages.slice(4, 5))).rejects.toThrow('the machine is gone');
    expect((await published(world)).sequence).toBe(1);
    // It comes back with the one behind it.
    await deliver(world, messages.slice(4, 6));
    expect((await published(world)).sequence).toBe(6);
    for (const one of messages.slice(6, 11)) await deliver(world, [one]);
    expect((await published(world)).sequence).toBe(10);
  });

  it('is published with the next delivery where S3 took no state for a while', async () => {
    const world = createWorld(seldom);
    const messages = sampleMessages(12, 'till');
    let { cached } = await deliver(world, messages.slice(0, 4));
    withoutPublications(world);
    for (const one of messages.slice(4, 9))
      ({ cached } = await deliver(world, [one], undefined, cached));
    world.store.hook = () => undefined;
    expect((await published(world)).sequence).toBe(1);
    ({ cached } = await deliver(world, messages.slice(9, 10), undefined, cached));
    expect(await published(world)).toEqual(cached?.state);
  });

  it('holds a rollback back until readers, who stop before it, can be told', async () => {
    const world = createWorld(seldom);
    let { cached } = await deliver(world, sampleMessages(4, 'till'));
    const back = message(90, { rollback: { to: 1 } });
    withoutPublications(world);
    await expect(deliver(world, [back], undefined, cached)).rejects.toThrow(
      'entry 2 of tickets put other weights in place, and their state could not be published',
    );
    world.store.hook = () => undefined;
    const again = await deliver(world, [back]);
    expect(again).toMatchObject({ settled: 1, entries: [] });
    ({ cached } = again);
    expect(await published(world)).toEqual(cached?.state);
    expect(cached?.state.sequence).toBe(2);
  });

  it('is made again at once where the published one is damaged', async () => {
    const world = createWorld(seldom);
    const messages = sampleMessages(9, 'till');
    for (const one of messages.slice(0, 6)) await deliver(world, [one]);
    await world.store.put(keys.state(ticketsSpec.model), Buffer.from('no state'));
    await deliver(world, messages.slice(6, 7));
    expect(await published(world)).toEqual(await foldJournal(world));
  });

  it.each(['one that knows nothing', 'one that was behind'])(
    'is published after a rollback, though its writer died: by %s',
    async (who) => {
      const world = createWorld(seldom);
      const messages = sampleMessages(9, 'till');
      for (const one of messages.slice(0, 6)) await deliver(world, [one]);
      const { cached } = await deliver(world, messages.slice(6, 7));
      failOnce(world);
      await expect(deliver(world, [message(90, rollback)])).rejects.toThrow('the machine is gone');
      const known = who === 'one that was behind' ? cached : undefined;
      await deliver(world, [message(90, rollback), ...messages.slice(7, 8)], undefined, known);
      expect(await published(world)).toEqual(await foldJournal(world));
      const open = await openModel(world, ticketsSpec.model);
      const answer = await open.predict([{ features: { urgency: 3, team: 'red' } }]);
      expect(answer).toMatchObject({ sequence: (await foldJournal(world)).sequence });
    },
  );
});
