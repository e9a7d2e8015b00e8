import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { limits } from '../../lib/limits.ts';
import { sendDefaults } from '../../lib/online/send-defaults.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { askedWorld, dueKeys, later, takeDefaults, urgent } from '../support/default-labels.ts';
import { learntSamples, refusals } from '../support/late-labels.ts';
import { deliver, foldJournal, message, published, ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

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

describe('a default and a label of an id in one message', () => {
  const label = { id: 0, label: true };
  const byDefault = { id: 0, label: false, default: true };

  it.each<[string, object[], object[]]>([
    ['both, the label with its weight', [byDefault, label], [byDefault, { lateWeight: 2 }]],
    ['the label alone, if it comes first', [label, byDefault], [label]],
    ['one of two defaults', [byDefault, byDefault], [byDefault]],
  ])('are learnt as %s', async (_, labels, expected) => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { labels })]);
    const learnt = await learntSamples(world);
    expect(learnt).toHaveLength(expected.length);
    learnt.forEach((sample, i) => {
      const { lateWeight, ...own } = expected[i] as { lateWeight?: number };
      expect(sample).toMatchObject(own);
      expect('lateWeight' in (sample as object)).toBe(lateWeight !== undefined);
    });
    expect(await refusals(world)).toEqual([]);
    expect(await published(world)).toEqual(await foldJournal(world));
  });
});

describe('a default, however it is written', () => {
  const kinds: readonly [string, Partial<SpecInput>, unknown, unknown][] = [
    ['0', {}, 0, true],
    ['no', {}, 'no', 1],
    [' False', {}, ' False', 'true'],
    ['a class', { task: 'multiclass', label: { classes: ['1.0', 'b'] } }, ' 1.0', 'b'],
    ['a class that comes', { task: 'multiclass', label: { maxClasses: 3 } }, ' lost ', 'won'],
  ];

  it.each(kinds)('is what a late label is weighed against (%s)', async (_, own, silent, label) => {
    const world = await askedWorld(1, { ...ticketsSpec, ...own });
    const known = { features: urgent, label };
    await deliver(world, [message(1, { samples: [known] })]);
    await deliver(world, [message(2, { labels: [{ id: 0, label: silent, default: true }] })]);
    await deliver(world, [message(3, { labels: [{ id: 0, label }] })]);
    expect(await learntSamples(world)).toMatchObject([
      known,
      { default: true },
      { label, lateWeight: expect.any(Number) },
    ]);
  });

  it.each<[string, Partial<SpecInput>, boolean | string, RegExp]>([
    ['a regression', { task: 'regression' }, false, /is of classes/],
    ['a binary label as text', {}, 'false', /must be true or false/],
    ['another class', { task: 'multiclass', label: { classes: ['a', 'b'] } }, 'c', /one of the cl/],
    ['no label', { task: 'multiclass', label: { maxClasses: 3 } }, 'none', /a word for a missing/],
  ])('is refused by the spec where it is %s', (_, own, silent, reason) => {
    const online = { minibatch: 2, labelWindow: { hours: 2, default: silent } };
    expect(() => defineSpec({ ...ticketsSpec, ...own, online } as SpecInput)).toThrow(reason);
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
    expect(await refusals(world)).toMatchObject([{ code: 'labelled-before', index: 0 }]);
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
      { id: 1, label: true, weight: limits.sampleWeight },
    ];
    await deliver(world, [message(4, { labels })]);
    const last = (await learntSamples(world)).slice(-2);
    expect(last).toMatchObject([{ id: 0 }, { id: 1, weight: limits.sampleWeight }]);
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
