import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { sampleHash } from '../../lib/fold/exclusions.ts';
import { claimAsked, learntLabels } from '../../lib/journal/asked.ts';
import { limits } from '../../lib/limits.ts';
import type { Message } from '../../lib/online/messages.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { learntSamples, racingWorld, refusals } from '../support/late-labels.ts';
import type { World } from '../support/world.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  published,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;

/** A world whose model was asked about some tickets, each under its number. */
async function askedWorld(count: number): Promise<World> {
  const world = createWorld();
  const opened = await openModel(world, model);
  const asked = Array.from({ length: count }, (_, id) => ({ id, features: ticket(id).features }));
  const answer = await opened.predict(asked);
  expect(answer).toMatchObject({ ok: true });
  return world;
}

const labelOf = (id: number) => ({ id, label: ticket(id).label });

describe('a label that comes after its prediction', () => {
  it.each(['samples', 'labels'])(
    'is learnt with the features that were asked (%s)',
    async (field) => {
      const world = await askedWorld(3);
      await deliver(world, [message(1, { [field]: [2, 0, 1].map(labelOf) })]);
      expect(await learntSamples(world)).toEqual(
        [2, 0, 1].map((id) => ({ ...labelOf(id), features: ticket(id).features })),
      );
      const other = createWorld();
      await deliver(other, [message(1, { samples: [2, 0, 1].map(ticket) })]);
      const [late, whole] = [await published(world), await published(other)];
      expect(late.tensors).toEqual(whole.tensors);
      expect(late).toEqual(await foldJournal(world));
    },
  );

  it('has its weight, and stands among whole samples', async () => {
    const world = await askedWorld(1);
    const weighed = { ...labelOf(0), weight: 3 };
    await deliver(world, [message(1, { samples: [ticket(5), weighed, ticket(6)] })]);
    const joined = { ...weighed, features: ticket(0).features };
    expect(await learntSamples(world)).toEqual([ticket(5), joined, ticket(6)]);
  });

  it.each<[string, (labels: unknown[]) => Message[]]>([
    ['message', (labels) => [message(1, { samples: labels })]],
    ['entry', (labels) => labels.map((label, i) => message(i + 1, { samples: [label] }))],
  ])('is learnt once, where another is in the same %s', async (_, messagesOf) => {
    const world = await askedWorld(1);
    await deliver(world, messagesOf([labelOf(0), { id: '0', label: false }]));
    expect(await learntSamples(world)).toHaveLength(1);
    expect(await refusals(world)).toMatchObject([{ field: 'id', code: 'labelled-before' }]);
  });

  it('is learnt once, where another comes later, or the message is delivered again', async () => {
    const world = await askedWorld(2);
    const first = message(1, { samples: [labelOf(0)] });
    await deliver(world, [first]);
    await deliver(world, [first]);
    await deliver(world, [message(2, { samples: [labelOf(0), labelOf(1)] })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0), labelOf(1)]);
    expect(await refusals(world)).toMatchObject([
      { index: 0, code: 'labelled-before', reason: expect.stringContaining('entry 1') },
    ]);
  });

  it.each<[string, unknown, object]>([
    ['nothing was asked under', { id: 'x', label: true }, { field: 'id', code: 'unknown-id' }],
    ['has features too', { ...ticket(1), id: 0 }, { field: 'id', code: 'unknown-field' }],
    ['is no id', { id: 1.5, label: true }, { field: 'id', code: 'wrong-type' }],
    ['is empty', { id: '', label: true }, { field: 'id', code: 'wrong-type' }],
    ['is too long', { id: 'x'.repeat(257), label: true }, { field: 'id', code: 'wrong-type' }],
    ['has no label', { id: 0 }, { field: 'label' }],
    ['has a label of another kind', { id: 0, label: 'late' }, { field: 'label' }],
  ])('is refused as it was sent where its id %s', async (_, sent, refusal) => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [sent] })]);
    expect(await refusals(world)).toMatchObject([{ ...refusal, sample: sent }]);
    // What was refused has claimed nothing: the id still waits for its label.
    await deliver(world, [message(2, { samples: [labelOf(0)] })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0)]);
  });

  it('is refused where what was asked is damaged, and the model goes on', async () => {
    const world = await askedWorld(1);
    await world.store.put(keys.asked(model, '0'), Buffer.from('{'));
    await deliver(world, [message(1, { samples: [labelOf(0), ticket(3)] })]);
    expect(await learntSamples(world)).toEqual([ticket(3)]);
  });
});

describe('many labels', () => {
  it('that come again look into their entry once', async () => {
    const world = await askedWorld(200);
    const labels = Array.from({ length: 200 }, (_, id) => labelOf(id));
    await deliver(world, [message(1, { samples: labels })]);
    const reads: string[] = [];
    world.store.hook = ({ operation, key, when }) =>
      void (operation === 'get' && when === 'before' && reads.push(key));
    await deliver(world, [message(2, { samples: labels })]);
    expect(reads.filter((key) => key === keys.entry(model, 1)).length).toBeLessThan(5);
    expect(await refusals(world)).toHaveLength(200);
  });

  it('bring no more into an entry than it can hold; the others are learnt by a retry', async () => {
    const world = await askedWorld(3);
    const { body } = (await world.store.get(keys.asked(model, '1'))) ?? { body: Buffer.from('{}') };
    const large = {
      ...JSON.parse(Buffer.from(body).toString()),
      note: 'x'.repeat(limits.lateBytes),
    };
    await world.store.put(keys.asked(model, '1'), Buffer.from(JSON.stringify(large)));
    await deliver(world, [message(1, { samples: [0, 1, 2].map(labelOf) })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0)]);
    expect(await refusals(world)).toMatchObject([{ code: 'too-large' }, { code: 'too-large' }]);
  });
});

describe('a label that cannot be learnt', () => {
  it('takes none of the same id with it', async () => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [{ id: 0, label: 'bad' }, labelOf(0)] })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0)]);
    expect(await refusals(world)).toMatchObject([{ index: 0, field: 'label' }]);
  });
});

describe('a label that came too early', () => {
  it('is learnt by a retry, once it was asked', async () => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [labelOf(1), labelOf(0)] })]);
    expect(await retryQuarantine(world, model)).toMatchObject({ sent: 1 });
    await (await openModel(world, model)).predict([{ id: 1, features: ticket(1).features }]);
    const sent = world.sentSamples.splice(0);
    await deliver(world, [message(900, sent[0]?.body)]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0), labelOf(1)]);
  });

  it('is not sent again where another label was learnt', async () => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [labelOf(0)] })]);
    await deliver(world, [message(2, { samples: [labelOf(0)] })]);
    expect(await retryQuarantine(world, model)).toMatchObject({ sent: 0, left: [{}] });
  });
});

describe('a label that was learnt', () => {
  it('is unlearnt as a sample, whether its features came with it or not', async () => {
    const world = await askedWorld(2);
    await deliver(world, [message(1, { samples: [labelOf(0), labelOf(1)] })]);
    const samples = [sampleHash(ticket(0))];
    const found = await prepareRetraction(world, await modelOf(world), { messages: [], samples });
    await deliver(world, [message(2, { retract: found.retract })]);
    const other = createWorld();
    await deliver(other, [message(1, { samples: [ticket(1)] })]);
    expect((await published(world)).tensors).toEqual((await published(other)).tensors);
  });
});

describe('a process that was overtaken', () => {
  it.each([
    ['claims for an entry that there is', false],
    ['puts its claim when another has read what was asked before it', true],
  ])('hides no label from those who come later, where it %s', async (_, hasReadBefore) => {
    const world = await askedWorld(1);
    const key = keys.asked(model, '0');
    const before = await world.store.get(key);
    await deliver(world, [message(1, { samples: [ticket(1)] })]);
    await deliver(world, [message(2, { samples: [labelOf(0)] })]);
    let reads = hasReadBefore ? 0 : 1;
    const get: World['store']['get'] = async (...given) =>
      reads++ === 0 ? before : world.store.get(...given);
    const entry = { sequence: 1, learnt: learntLabels(world.store, model) };
    const claim = { id: '0', isDefault: false };
    const overtaken = { ...world, store: { ...world.store, get } };
    expect(await claimAsked(overtaken, model, claim, entry)).toMatchObject({ ok: true });
    await deliver(world, [message(3, { samples: [labelOf(0)] })]);
    expect(await learntSamples(world)).toMatchObject([ticket(1), labelOf(0)]);
    expect(await refusals(world)).toMatchObject([{ code: 'labelled-before' }]);
  });
});

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
