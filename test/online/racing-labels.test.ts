import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../lib/serving/open-model.ts';
import {
  askedWorld,
  labelOf,
  learntSamples,
  racingWorld,
  refusals,
} from '../support/late-labels.ts';
import type { World } from '../support/world.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  published,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;

describe('a label that one process refuses and another learns', () => {
  /** Stops a process before it commits, until it may go on. */
  function heldBeforeCommit(world: World) {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const put: World['store']['put'] = async (key, ...given) => {
      if (key.includes('/journal/')) {
        reached.resolve();
        await released.promise;
      }
      return world.store.put(key, ...given);
    };
    return { held: { ...world, store: { ...world.store, put } }, reached, released };
  }
  const sent = [message(1, { samples: [labelOf(0), labelOf(9)] })];

  it.each([
    ['learnt or in quarantine', 'the first commits', true],
    ['not both', 'the second commits', false],
  ])('is %s, where %s', async (_, __, isFirst) => {
    const world = createWorld();
    // The first finds no question; the second finds one of the two.
    const first = heldBeforeCommit(world);
    const second = heldBeforeCommit(world);
    const runs = [deliver(first.held, sent)];
    await first.reached.promise;
    await (await openModel(world, model)).predict([{ id: 0, features: ticket(0).features }]);
    runs.push(deliver(second.held, sent));
    await second.reached.promise;
    (isFirst ? first : second).released.resolve();
    await runs[isFirst ? 0 : 1];
    (isFirst ? second : first).released.resolve();
    await Promise.all(runs);
    const refused = (await refusals(world)).map(({ sample }) => sample);
    expect(await learntSamples(world)).toMatchObject(isFirst ? [] : [labelOf(0)]);
    expect(refused).toEqual(isFirst ? [labelOf(0), labelOf(9)] : [labelOf(9)]);
  });
});

describe('labels of the same ids, settled by processes that race and crash', () => {
  /** Each message: the ids that it has labels of. */
  const messages = fc.array(fc.array(fc.nat(4), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  });
  const crash = fc.record({ call: fc.nat(60), isWritten: fc.boolean() });

  it('are learnt exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), messages, fc.array(crash), async (s, lists, crashes) => {
        const world = await askedWorld(5);
        const sent = lists.map((ids, i) => message(i + 1, { samples: ids.map(labelOf) }));
        const racing = racingWorld(world, s, crashes);
        const runs = [sent, sent.slice(0, 2), sent.slice(0, 1), sent].map((own) =>
          deliver(racing, own).catch(() => undefined),
        );
        await s.waitFor(Promise.all(runs));
        await deliver(world, sent);
        const learnt = (await learntSamples(world)) as { id: number }[];
        const ids = [...new Set(lists.flat())];
        expect(learnt.map(({ id }) => id).sort()).toEqual(ids.sort());
        expect(await published(world)).toEqual(await foldJournal(world));
      }),
      { numRuns: 300 },
    );
  });
});

describe('labels and defaults of the same ids, settled by processes that race and crash', () => {
  const label = fc.record({ id: fc.nat(3), isDefault: fc.boolean() });
  const messages = fc.array(fc.array(label, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  });
  const crash = fc.record({ call: fc.nat(60), isWritten: fc.boolean() });

  it('are learnt once each, and no default after a label', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), messages, fc.array(crash), async (s, lists, crashes) => {
        const world = await askedWorld(4);
        const sent = lists.map((own, i) => {
          const labels = own.map(({ id, isDefault }) =>
            isDefault ? { id, label: false, default: true } : { id, label: true },
          );
          return message(i + 1, { labels });
        });
        const racing = racingWorld(world, s, crashes);
        const runs = [sent, sent.slice(0, 2), sent.slice(0, 1), sent].map((own) =>
          deliver(racing, own).catch(() => undefined),
        );
        await s.waitFor(Promise.all(runs));
        await deliver(world, sent);
        expect(await learntSamples(world)).toMatchObject(dueBy(lists));
        expect(await published(world)).toEqual(await foldJournal(world));
      }),
      { numRuns: 300 },
    );
  });

  /** What is to be learnt: a default before everything else of its id, and one label. */
  function dueBy(lists: readonly (readonly { id: number; isDefault: boolean }[])[]) {
    const seen = new Map<number, { isDefault: boolean }>();
    return lists.flat().flatMap(({ id, isDefault }) => {
      const before = seen.get(id);
      if (before !== undefined && (isDefault || !before.isDefault)) return [];
      seen.set(id, { isDefault });
      return [isDefault ? { id, label: false, default: true } : { id, label: true }];
    });
  }
});
