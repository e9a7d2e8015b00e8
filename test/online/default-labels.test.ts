import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { limits } from '../../lib/limits.ts';
import { sendDefaults } from '../../lib/online/send-defaults.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { learntSamples, racingWorld, refusals } from '../support/late-labels.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  published,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const hour = 3_600_000;

/** Tickets that nobody says were late within two hours were not. */
const waitingSpec: SpecInput = {
  ...ticketsSpec,
  online: { minibatch: 2, labelWindow: { hours: 2, default: false } },
};

const urgent = { urgency: 9, team: 'red' };

/** A world whose model was asked about some tickets, each under its number. */
async function askedWorld(count: number, spec = waitingSpec): Promise<World> {
  const world = createWorld(spec);
  const questions = Array.from({ length: count }, (_, id) => ({ id, features: urgent }));
  const answer = await (await openModel(world, model)).predict(questions);
  expect(answer).toMatchObject({ ok: true });
  return world;
}

/** The same world, some hours later. */
const later = (world: World, hours: number): World => ({
  ...world,
  now: () => world.now() + hours * hour,
});

/** Sends what is due in a world, and delivers it. */
async function takeDefaults(world: World, sequenceNumber: number) {
  const remove = async (key: string) => world.store.remove(key);
  const sent = await sendDefaults(world, remove, () => 100);
  const bodies = world.sentSamples.splice(0).map(({ body }) => body);
  for (const [i, body] of bodies.entries())
    await deliver(world, [message(sequenceNumber + i, body)]);
  return sent;
}

const dueKeys = async ({ store }: World) => (await store.list(keys.allDue(model))).length;

describe('a question whose label does not come', () => {
  it('is learnt with the default once its time is up, and not before', async () => {
    const world = await askedWorld(3);
    expect(await takeDefaults(later(world, 1.9), 1)).toEqual([]);
    expect(await dueKeys(world)).toBe(1);
    expect(await takeDefaults(later(world, 2.1), 1)).toEqual([{ model, labels: 3 }]);
    const learnt = ['0', '1', '2'].map((id) => ({
      id,
      features: urgent,
      label: false,
      default: true,
    }));
    expect(await learntSamples(world)).toEqual(learnt);
    expect(await dueKeys(world)).toBe(0);
    expect(await published(world)).toEqual(await foldJournal(world));
  });

  it('waits for ever without a window', async () => {
    const world = await askedWorld(1, ticketsSpec);
    expect(await dueKeys(world)).toBe(0);
    expect(await takeDefaults(later(world, 1_000), 1)).toEqual([]);
  });

  it('is learnt once, however often the default is sent', async () => {
    const world = await askedWorld(2);
    const late = later(world, 3);
    await sendDefaults(
      late,
      async () => undefined,
      () => 100,
    );
    await sendDefaults(
      late,
      async () => undefined,
      () => 100,
    );
    const bodies = world.sentSamples.splice(0).map(({ body }) => body);
    expect(bodies).toHaveLength(2);
    for (const [i, body] of bodies.entries()) await deliver(world, [message(i + 1, body)]);
    expect(await learntSamples(world)).toHaveLength(2);
    expect(await refusals(world)).toEqual([]);
    expect(await takeDefaults(late, 3)).toEqual([]);
  });

  it('is passed over where its label came in time', async () => {
    const world = await askedWorld(2);
    await deliver(world, [message(1, { labels: [{ id: 0, label: false }] })]);
    expect(await takeDefaults(later(world, 3), 2)).toEqual([{ model, labels: 1 }]);
    expect(await learntSamples(world)).toMatchObject([{ id: 0 }, { id: '1', default: true }]);
    // Also where both were on their way.
    const body = { labels: [{ id: 0, label: false, default: true }] };
    await deliver(world, [message(9, body)]);
    expect(await learntSamples(world)).toHaveLength(2);
    expect(await refusals(world)).toEqual([]);
  });

  it('is dropped with a model that was removed', async () => {
    const world = await askedWorld(1);
    world.store.remove(keys.spec(model));
    expect(await takeDefaults(later(world, 3), 1)).toEqual([]);
    expect(await dueKeys(world)).toBe(0);
  });
});

describe('a label that comes after its default', () => {
  it('weighs 1/p, where p is what the model says of the default', async () => {
    const world = await askedWorld(1);
    await takeDefaults(later(world, 3), 1);
    const answer = await (await openModel(world, model)).predict([{ features: urgent }]);
    const { probability } = (answer.ok ? answer.predictions[0] : {}) as { probability: number };
    const label = { id: 0, label: true, weight: 2 };
    await deliver(world, [message(2, { labels: [label] })]);
    const [, learnt] = (await learntSamples(world)) as { lateWeight: number }[];
    expect(learnt).toMatchObject({ ...label, features: urgent });
    expect(learnt?.lateWeight).toBeCloseTo(1 / (1 - probability), 10);
    expect(await published(world)).toEqual(await foldJournal(world));
  });

  it('is learnt once', async () => {
    const world = await askedWorld(1);
    await takeDefaults(later(world, 3), 1);
    await deliver(world, [message(2, { labels: [{ id: 0, label: true }] })]);
    await deliver(world, [message(3, { labels: [{ id: 0, label: true }] })]);
    await deliver(world, [message(4, { labels: [{ id: 0, label: false }] })]);
    expect(await learntSamples(world)).toHaveLength(2);
    expect(await refusals(world)).toMatchObject(Array(2).fill({ code: 'labelled-before' }));
  });

  it('says nothing new if it is the default', async () => {
    const world = await askedWorld(2);
    await takeDefaults(later(world, 3), 1);
    const before = await published(world);
    await deliver(world, [
      message(2, {
        labels: [
          { id: 0, label: 0 },
          { id: 1, label: true },
        ],
      }),
    ]);
    expect(await learntSamples(world)).toMatchObject([{}, {}, { id: 1, label: true }]);
    await deliver(world, [message(3, { labels: [{ id: 0, label: false }] })]);
    expect(await learntSamples(world)).toHaveLength(3);
    expect(await refusals(world)).toEqual([]);
    expect((await published(world)).learnt).toBe(before.learnt + 1);
  });

  it('never weighs more than its bound', async () => {
    const world = await askedWorld(2);
    await takeDefaults(later(world, 3), 1);
    // Sure that it is true, and wrong about it.
    const sure = Array.from({ length: 400 }, () => ({ features: urgent, label: true }));
    await deliver(world, [message(2, { samples: sure }), message(3, { samples: sure })]);
    const labels = [
      { id: 0, label: true },
      { id: 1, label: true, weight: 3e38 },
    ];
    await deliver(world, [message(4, { labels })]);
    const last = (await learntSamples(world)).slice(-2);
    expect(last).toMatchObject([{ id: 0 }, { id: 1, weight: 3e38 }]);
    for (const { lateWeight } of last as { lateWeight: number }[])
      expect(lateWeight).toBe(limits.lateWeight);
    const state = await published(world);
    expect(state.scores.loss).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(state).toEqual(await foldJournal(world));
  });
});

describe('what a label may not say of itself', () => {
  it.each<[string, object, object]>([
    ['its weight after a default', { id: 0, label: true, lateWeight: 5 }, { field: 'id' }],
    ['a default that is not true', { id: 0, label: true, default: 1 }, { field: 'default' }],
    ['a default of a whole sample', { ...ticket(0), default: true }, { field: 'default' }],
    ['a weight after a default of one', { ...ticket(0), lateWeight: 2 }, { field: 'lateWeight' }],
  ])('%s', async (_, sample, refusal) => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [sample] })]);
    expect(await learntSamples(world)).toEqual([]);
    expect(await refusals(world)).toMatchObject([refusal]);
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

  /** What is to be learnt: of each message the first of an id counts. */
  function dueBy(lists: readonly (readonly { id: number; isDefault: boolean }[])[]) {
    const seen = new Map<number, { isDefault: boolean }>();
    return lists.flatMap((own) => {
      const firsts = own.filter(({ id }, i) => own.findIndex((each) => each.id === id) === i);
      return firsts.flatMap(({ id, isDefault }) => {
        const before = seen.get(id);
        if (before !== undefined && (isDefault || !before.isDefault)) return [];
        seen.set(id, { isDefault });
        return [isDefault ? { id, label: false, default: true } : { id, label: true }];
      });
    });
  }
});
