import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { sampleHash } from '../../lib/fold/exclusions.ts';
import { claimAsked, learntLabels } from '../../lib/journal/asked.ts';
import type { Message } from '../../lib/online/messages.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { chooseRetraction } from '../../lib/operations/retract.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { askedWorld, labelOf, learntSamples, refusals } from '../support/late-labels.ts';
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
    await deliver(world, messagesOf([labelOf(0), { id: '0', label: true }]));
    expect(await learntSamples(world)).toHaveLength(1);
    expect(await refusals(world)).toMatchObject([
      { field: 'id', code: 'labelled-before', reason: expect.stringContaining('another label') },
    ]);
  });

  it('says nothing new where it comes again, in the same message, the next, or much later', async () => {
    const world = await askedWorld(1);
    const again = { id: '0', label: labelOf(0).label ? 'yes' : 'no' };
    await deliver(world, [
      message(1, { samples: [labelOf(0), again, ticket(7)] }),
      message(2, { labels: [labelOf(0)] }),
    ]);
    await deliver(world, [message(3, { labels: [again, { ...labelOf(0), weight: 2 }] })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0), ticket(7)]);
    expect(await refusals(world)).toEqual([]);
    expect(await foldJournal(world)).toMatchObject({ learnt: 2 });
  });

  it('is learnt once, where another comes later, or the message is delivered again', async () => {
    const world = await askedWorld(2);
    const first = message(1, { samples: [labelOf(0)] });
    await deliver(world, [first]);
    await deliver(world, [first]);
    const other = { id: 0, label: !labelOf(0).label };
    await deliver(world, [message(2, { samples: [other, labelOf(1)] })]);
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

  it.each([
    ['is damaged', () => Buffer.from('{')],
    ['is of another id', (other: Uint8Array) => other],
  ])('is refused where what was asked %s, and the model goes on', async (_, change) => {
    const world = await askedWorld(2);
    const other = await world.store.get(keys.asked(model, '1'));
    await world.store.put(keys.asked(model, '0'), change(other?.body ?? new Uint8Array()));
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
    const others = labels.map(({ id, label }) => ({ id, label: !label }));
    await deliver(world, [message(2, { samples: others })]);
    expect(reads.filter((key) => key === keys.entry(model, 1)).length).toBeLessThan(5);
    expect(await refusals(world)).toHaveLength(200);
  });

  /** A model that was asked about tickets with notes of some MiB, which it does not read. */
  async function withNotes(mebibytes: readonly number[]): Promise<World> {
    const world = createWorld({ ...ticketsSpec, ignore: ['note'] });
    for (const [id, size] of mebibytes.entries()) {
      const { features } = ticket(id);
      const kept = { id: String(id), features: { ...features, note: 'x'.repeat(size * 2 ** 20) } };
      await world.store.put(keys.asked(model, String(id)), Buffer.from(JSON.stringify(kept)));
    }
    return world;
  }

  it('bring no more into an entry than it can hold; the others are learnt by a retry', async () => {
    const world = await withNotes([1, 15, 9, 1]);
    await deliver(world, [message(1, { samples: [0, 1, 2, 3].map(labelOf) })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(0)]);
    expect(await refusals(world)).toMatchObject(Array(3).fill({ code: 'too-large' }));
    for (let retry = 2; retry < 5; retry++) {
      await retryQuarantine(world, model);
      for (const { body } of world.sentSamples.splice(0))
        await deliver(world, [message(retry, body)]);
    }
    expect(await learntSamples(world)).toMatchObject([0, 1, 2, 3].map(labelOf));
  });

  it('are learnt beside one whose question fits no message', async () => {
    const world = await withNotes([17, 1]);
    await deliver(world, [message(1, { samples: [0, 1].map(labelOf) })]);
    expect(await learntSamples(world)).toMatchObject([labelOf(1)]);
    expect(await refusals(world)).toMatchObject([{ index: 0, code: 'too-large' }]);
  });
});

describe('several labels of one id in a message, the first of which is wrong', () => {
  it('are not lost: a retry sends the next', async () => {
    const world = createWorld({ ...ticketsSpec, task: 'multiclass', label: { maxClasses: 2 } });
    const questions = [0, 1, 2].map((id) => ({ id, features: ticket(id).features }));
    await (await openModel(world, model)).predict(questions);
    const known = ['A', 'B'].map((label, i) => ({ id: i, label }));
    const three = ['C', 'A', 'B'].map((label) => ({ id: 2, label }));
    await deliver(world, [message(1, { samples: known }), message(2, { samples: three })]);
    expect(await learntSamples(world)).toMatchObject(known);
    expect(await retryQuarantine(world, model)).toMatchObject({ sent: 1 });
    await deliver(world, [message(3, world.sentSamples.splice(0)[0]?.body)]);
    expect(await learntSamples(world)).toMatchObject([...known, { id: 2, label: 'A' }]);
    expect(await retryQuarantine(world, model)).toMatchObject({ sent: 0 });
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

  it('is not sent again for ever beside features of its own', async () => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [{ ...labelOf(0), ...ticket(0) }] })]);
    expect(await refusals(world)).toMatchObject([{ field: 'id', code: 'unknown-field' }]);
    expect(await retryQuarantine(world, model)).toMatchObject({
      sent: 0,
      left: [{ reason: expect.stringContaining('goes without features') }],
    });
  });

  it('is not sent again where another label was learnt', async () => {
    const world = await askedWorld(1);
    await deliver(world, [message(1, { samples: [labelOf(0)] })]);
    await deliver(world, [message(2, { samples: [{ id: 0, label: !labelOf(0).label }] })]);
    expect(await retryQuarantine(world, model)).toMatchObject({ sent: 0, left: [{}] });
  });
});

describe('a label that was learnt', () => {
  it.each([
    ['late.csv', 'order,label\n0,true\n', 'order'],
    ['late.jsonl', '{"id":0,"label":true}\n', undefined],
  ])('is unlearnt by its id, from the file that brought it (%s)', async (name, text, idColumn) => {
    const world = await askedWorld(2);
    // The same content under no id is somebody else's.
    const samples = [labelOf(0), labelOf(1), ticket(0)];
    await deliver(world, [message(1, { samples })]);
    const file = join(mkdtempSync(join(tmpdir(), 'late-')), name);
    writeFileSync(file, text);
    const { retraction } = await chooseRetraction(world, model, { by: 'samples', file, idColumn });
    const found = await prepareRetraction(world, await modelOf(world), retraction);
    await deliver(world, [message(2, { retract: found.retract })]);
    const other = createWorld();
    await deliver(other, [message(1, { samples: [ticket(1), ticket(0)] })]);
    expect((await published(world)).tensors).toEqual((await published(other)).tensors);
    expect(await published(world)).toEqual(await foldJournal(world));
    rmSync(dirname(file), { recursive: true });
  });

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
    await deliver(world, [message(3, { samples: [{ id: 0, label: !labelOf(0).label }] })]);
    expect(await learntSamples(world)).toMatchObject([ticket(1), labelOf(0)]);
    expect(await refusals(world)).toMatchObject([{ code: 'labelled-before' }]);
  });
});
