import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { quarantine, readQuarantine, readQuarantineRecord } from '../../lib/journal/quarantine.ts';
import type { Message } from '../../lib/online/messages.ts';
import { refusedMessages, retryQuarantine } from '../../lib/operations/retry.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;

const numbered = (sequenceNumber: number, producer: string, seq: number) =>
  message(sequenceNumber, { producer, seq, samples: [ticket(sequenceNumber)] });

/** Sends what is in quarantine again, and delivers what was sent. */
async function retry(world: World, firstSequenceNumber: number) {
  world.sentSamples.length = 0;
  const result = await retryQuarantine(world, model);
  const again = world.sentSamples.map(({ body }, i) => message(firstSequenceNumber + i, body));
  if (again.length > 0) await deliver(world, again);
  return result;
}

/** Puts a sample that can be learnt in the place of one that was refused, as its owner might. */
async function mend(world: World, message: string, sample: unknown) {
  const key = keys.quarantine(model, message);
  const record = await readQuarantineRecord(world.store, key);
  const refused = record?.refused.map((each) => ({ ...each, sample }));
  await world.store.put(key, Buffer.from(JSON.stringify({ ...record, refused })));
}

describe('a retry of what is in quarantine', () => {
  it('passes over a record that is damaged, and names it', async () => {
    const world = createWorld();
    const wrong = (number: number) => message(number, { samples: [{ label: number }] });
    for (const each of [wrong(1), wrong(2)]) await deliver(world, [each]);
    const [first = ''] = (await world.store.list(keys.quarantines(model))).map(({ key }) => key);
    await world.store.put(first, Buffer.from('{'));
    const warnings: unknown[] = [];
    const warn = (...said: unknown[]) => void warnings.push(said);
    const ports = { ...world, log: { ...world.log, warn } };
    expect(await refusedMessages(ports, model)).toHaveLength(1);
    expect(JSON.stringify(warnings)).toContain(`${first} is damaged: it is no JSON`);
  });

  it('leaves a message while its producer has too many gaps, and sends it as it was once they are closed', async () => {
    const world = createWorld(ticketsSpec, { gapsPerProducer: 1 });
    await deliver(world, [numbered(1, 'till', 2), numbered(2, 'till', 4)]);
    expect(await retry(world, 100)).toEqual({
      sent: 0,
      left: [
        {
          message: numbered(2, 'till', 4).id,
          reason: expect.stringContaining('1 gaps in its numbers'),
        },
      ],
    });
    await deliver(world, [numbered(3, 'till', 1)]);
    expect(await retry(world, 200)).toEqual({ sent: 1, left: [] });
    // Its producer sends it once more: it has its own number, so it is settled.
    await deliver(world, [{ ...numbered(4, 'till', 4), body: numbered(2, 'till', 4).body }]);
    expect((await foldJournal(world)).learnt).toBe(3);
    expect((await retry(world, 300)).sent).toBe(0);
  });

  it('sends what came under a number that was used long ago, and nothing that was learnt', async () => {
    const world = createWorld(ticketsSpec, { numbersPerProducer: 16 });
    for (let i = 1; i <= 20; i++) await deliver(world, [numbered(i, 'till', i)]);
    // The producer begins again at 1; and somebody sends what was 2 once more.
    await deliver(world, [numbered(21, 'till', 1)]);
    await deliver(world, [{ ...numbered(22, 'till', 2), body: numbered(2, 'till', 2).body }]);
    expect((await foldJournal(world)).learnt).toBe(20);
    const records = await readQuarantine(world.store, model);
    expect(records.map(({ refused }) => refused[0])).toMatchObject([
      { code: 'number-too-old', reason: expect.stringContaining('it must go on from 21') },
      { code: 'number-too-old' },
    ]);
    expect(await retry(world, 100)).toEqual({
      sent: 1,
      left: [{ message: numbered(22, 'till', 2).id, reason: 'it was learnt before' }],
    });
    expect((await foldJournal(world)).learnt).toBe(21);
    expect((await retry(world, 200)).sent).toBe(0);
  });

  it('knows one message by its content, whatever it was refused for each time', async () => {
    const world = createWorld(ticketsSpec, { numbersPerProducer: 16 });
    const uri = 's3://memory/datasets/late/x.jsonl';
    const late = message(1, { producer: 'till', seq: 1, samples: uri });
    await deliver(world, [late]);
    for (let i = 2; i <= 30; i++) await deliver(world, [numbered(i, 'till', i)]);
    await deliver(world, [{ ...numbered(31, 'till', 1), body: late.body }]);
    await world.store.put('datasets/late/x.jsonl', Buffer.from(JSON.stringify(ticket(1))));
    expect((await retry(world, 100)).sent).toBe(1);
    expect((await foldJournal(world)).learnt).toBe(30);
    expect((await retry(world, 200)).sent).toBe(0);
  });

  it('sends what came under a number that was used for something else, under one of its own', async () => {
    const world = createWorld();
    await deliver(world, [numbered(1, 'till', 1), numbered(2, 'till', 2)]);
    // The producer begins again at 1.
    await deliver(world, [numbered(3, 'till', 1), numbered(4, 'till', 2)]);
    expect((await foldJournal(world)).learnt).toBe(2);
    const records = await readQuarantine(world.store, model);
    expect(records.map(({ refused }) => refused[0])).toMatchObject([
      { code: 'number-reused', reason: expect.stringContaining('it must go on from 3') },
      { code: 'number-reused' },
    ]);
    expect((await retry(world, 100)).sent).toBe(2);
    expect((await foldJournal(world)).learnt).toBe(4);
    expect((await retry(world, 200)).sent).toBe(0);
    // The same once more is what it always was: settled.
    const again = { ...numbered(5, 'till', 2), body: numbered(2, 'till', 2).body };
    await deliver(world, [again]);
    expect(await readQuarantine(world.store, model)).toHaveLength(2);
  });

  it('sends a message of an evicted producer once, however often it was refused', async () => {
    const world = createWorld(ticketsSpec, { producers: 2, producerIdleEntries: 0 });
    await deliver(world, [numbered(1, 'a', 1)]);
    await deliver(world, [numbered(2, 'b', 1)]);
    await deliver(world, [numbered(3, 'c', 1)]);
    // a is evicted: what it had sent before, and what is new.
    const same = (sequenceNumber: number, { body }: Message) => ({
      ...message(sequenceNumber, ''),
      body,
    });
    const [first, second] = [numbered(1, 'a', 1), numbered(5, 'a', 2)];
    await deliver(world, [same(4, first), second, same(6, second)]);
    expect(await retry(world, 100)).toEqual({
      sent: 1,
      left: [{ message: numbered(4, 'a', 1).id, reason: 'it was learnt before' }],
    });
    expect((await foldJournal(world)).learnt).toBe(4);
    await deliver(world, [same(7, second)]);
    expect((await retry(world, 200)).sent).toBe(0);
    expect((await foldJournal(world)).learnt).toBe(4);
    // Something else under its old number was never learnt.
    await deliver(world, [numbered(8, 'a', 1)]);
    expect((await retry(world, 300)).sent).toBe(1);
    expect((await foldJournal(world)).learnt).toBe(5);
  });

  it('that broke off sends only what was refused of a message that came again', async () => {
    const world = createWorld(ticketsSpec, { producers: 2, producerIdleEntries: 0 });
    const half = message(1, { producer: 'a', seq: 1, samples: [ticket(1), { features: {} }] });
    await deliver(world, [half]);
    await mend(world, half.id, ticket(9));
    const breaking = {
      ...world,
      sendSamples: () => Promise.reject(new MillraceError('unavailable', 'away')),
    };
    await expect(retryQuarantine(breaking, model)).rejects.toThrow('away');
    // a is evicted, and what it had sent comes once more: it is refused as a whole now.
    await deliver(world, [numbered(2, 'b', 1), numbered(3, 'c', 1), half]);
    expect(await retry(world, 100)).toEqual({ sent: 1, left: [] });
    expect(world.sentSamples.map(({ body }) => JSON.parse(body).samples)).toEqual([[ticket(9)]]);
    expect((await foldJournal(world)).learnt).toBe(4);
  });

  it('tells all others beside a message that is nested too deep', async () => {
    const world = createWorld();
    const deep = `{"samples":[{"features":{"urgency":${'['.repeat(9_000)}${']'.repeat(9_000)}}}]}`;
    const empty = { producer: 'till', seq: 1, samples: [] };
    await deliver(world, [message(1, empty), message(2, deep), message(3, { samples: [{}] })]);
    expect(await refusedMessages(world, model)).toHaveLength(3);
    const { left } = await retry(world, 100);
    expect(left).toContainEqual({ message: message(2, deep).id, reason: expect.any(String) });
  });

  it('sends all samples of a message that had them in two ways', async () => {
    const world = createWorld();
    const [one, two] = [ticket(1), ticket(2)];
    const columns = { features: { urgency: [3], team: ['red'] }, label: [true] };
    await deliver(world, [
      message(1, { producer: 'till', seq: 1, samples: [one], labels: [{ id: 'a', label: true }] }),
      message(2, { producer: 'till', seq: 2, samples: [two], columns }),
      message(3, { samples: [ticket(4)], columns: { label: true } }),
    ]);
    const { sent, left } = await retry(world, 100);
    expect({ sent, left: left.map(({ message: id }) => id) }).toEqual({
      sent: 2,
      left: [message(3, {}).id],
    });
    expect((await foldJournal(world)).learnt).toBe(3);
    // The label is of nothing that was asked, and says so.
    expect((await readQuarantine(world.store, model)).at(-1)?.refused).toMatchObject([
      { sample: { id: 'a' }, code: 'unknown-id' },
    ]);
  });

  it('does not send what is no message under its new number either', async () => {
    const world = createWorld();
    await deliver(world, [message(1, { samples: 's3://nowhere/rows.jsonl' })]);
    const reason = expect.stringContaining('it would be refused again: body.samples: must be');
    expect(await retry(world, 100)).toEqual({
      sent: 0,
      left: [{ message: message(1, {}).id, reason }],
    });
    expect(await readQuarantine(world.store, model)).toHaveLength(1);
  });

  it('does not send what never can be learnt', async () => {
    const world = createWorld();
    await deliver(world, [message(1, { samples: [{ features: {} }] })]);
    const { sent, left } = await retry(world, 100);
    expect(sent).toBe(0);
    expect(left.map(({ reason }) => reason)).toContain(
      'it would be refused again: features.urgency: missing',
    );
  });

  it('goes on under another name once its own was evicted', async () => {
    const world = createWorld(ticketsSpec, { producers: 2, producerIdleEntries: 0 });
    await deliver(world, [message(1, { samples: 's3://memory/datasets/late/none.jsonl' })]);
    expect((await retry(world, 100)).sent).toBe(1);
    for (const [i, producer] of ['a', 'b', 'c'].entries())
      await deliver(world, [numbered(110 + i, producer, 1)]);
    expect((await retry(world, 200)).sent).toBe(1);
    expect(world.sentSamples.map(({ body }) => JSON.parse(body).producer)).toEqual([
      expect.stringMatching(/^resend-2-[0-9a-f]{16}$/),
    ]);
  });

  it.each([
    { name: 'is behind the journal', publishEvery: 10, isGone: false },
    { name: 'was deleted', publishEvery: 1, isGone: true },
  ])('sends a message that can be learnt now, though the published state $name', async (each) => {
    const { publishEvery, isGone } = each;
    const world = createWorld({ ...ticketsSpec, online: { minibatch: 2, publishEvery } });
    const object = 'datasets/late/a.jsonl';
    await deliver(world, [numbered(1, 'p', 1)]);
    const samples = `s3://${world.store.bucket}/${object}`;
    await deliver(world, [message(2, { producer: 'p', seq: 2, samples })]);
    if (isGone) world.store.remove(keys.state(model));
    await world.store.put(object, Buffer.from(`${JSON.stringify(ticket(5))}\n`));
    expect(await retry(world, 10)).toEqual({ sent: 1, left: [] });
    expect((await foldJournal(world)).learnt).toBe(2);
  });

  it('leaves what a job refused, and what no entry has settled', async () => {
    const world = createWorld();
    await deliver(world, [numbered(1, 'till', 1)]);
    const refused = [{ index: 0, field: 'label', reason: 'missing', sample: { features: {} } }];
    await quarantine(world, model, { message: 'nightly', refused, dataset: 'past' });
    await quarantine(world, model, { message: 'stale', refused, sequence: 1 });
    expect(await retry(world, 100)).toEqual({
      sent: 0,
      left: [{ message: 'nightly', reason: expect.stringContaining('batch job') }],
    });
    expect((await refusedMessages(world, model)).map(({ record }) => record.message)).toEqual([
      'nightly',
    ]);
  });
});

describe('a quarantine record', () => {
  it('that its entry confirms stays, though a later delivery refuses the message again and is overtaken', async () => {
    const world = createWorld(ticketsSpec, { producers: 2, producerIdleEntries: 0 });
    for (const [i, producer] of ['a', 'b', 'c'].entries())
      await deliver(world, [numbered(1 + i, producer, 1)]);
    await deliver(world, [numbered(4, 'a', 2)]);
    world.store.hook = ({ operation, key }) => {
      if (operation === 'put' && key.includes('/journal/')) throw new Error('the machine is gone');
    };
    await expect(deliver(world, [numbered(4, 'a', 2)])).rejects.toThrow('gone');
    world.store.hook = () => undefined;
    await deliver(world, [numbered(5, 'b', 2)]);
    expect((await retry(world, 100)).sent).toBe(1);
    expect((await foldJournal(world)).learnt).toBe(5);
  });
});
