import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { allOf } from '../../lib/journal/entry.ts';
import { entriesAfter } from '../../lib/journal/reading.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { State } from '../../lib/state/state.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  sampleMessages,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;
const messages = sampleMessages(30, 'till-1');
const samples = messages.map(({ body }) => JSON.parse(body).samples as unknown[]);
const count = samples.flat().length;

/**
 * What the model must have learnt: the same messages, delivered once, in order, with nothing in the
 * way.
 */
async function undisturbed(): Promise<State> {
  const world = createWorld();
  await deliver(world, messages);
  return foldJournal(world);
}

describe('the functions, from their bundles, in their own processes', () => {
  let test: TestCloud;
  beforeEach(async () => {
    test = await startTestCloud();
    await createModel(test.ports, ticketsSpec);
  });
  afterEach(() => test.remove());

  const state = async () => {
    const object = await test.ports.store.get(keys.state(model));
    return object === undefined ? undefined : decodeCheckpoint(object.body);
  };
  const learntAll = () =>
    until(async () => {
      const current = await state();
      return current?.learnt === count ? current : undefined;
    });
  const deadLettersUrl = () =>
    Object.entries(test.cloud.deadLetterUrls).find(([id]) => id.includes('Samples'))?.[1] ?? '';
  const deadLettersArn = async () => {
    const { Attributes } = await test.cloud.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: deadLettersUrl(), AttributeNames: ['QueueArn'] }),
    );
    return Attributes?.QueueArn;
  };
  const sendAll = async () => {
    const producer = createProducer(test.ports.sendSamples, model, 'till-1');
    for (const one of samples) await producer.send(one);
  };
  const journalSamples = async () => {
    const learnt: unknown[] = [];
    for await (const entry of entriesAfter(test.ports.store, model, 0))
      learnt.push(...allOf(entry.samples));
    return learnt;
  };

  it('learn every sample once when one is killed between commit and publish', async () => {
    const publishing = test.cloud.holdPuts('state.safetensors');
    await sendAll();
    await publishing;
    expect(await test.ports.store.get(keys.entry(model, 1))).toBeDefined();
    expect(await state()).toBeUndefined();
    test.cloud.functions.get('online-update')?.kill();
    test.cloud.releasePuts();
    const learnt = await learntAll();
    expect(await journalSamples()).toEqual(samples.flat());
    expect(learnt.tensors).toEqual((await undisturbed()).tensors);
    expect(test.cloud.failedDeliveries()).toBe(1);
  });

  it('end in the same bits when they are killed in the middle of writes, which arrive later', async () => {
    const moments = [
      '/journal/',
      'state.safetensors',
      '/journal/',
      '/journal/',
      'state.safetensors',
    ];
    const producer = createProducer(test.ports.sendSamples, model, 'till-1');
    for (const [place, one] of samples.entries()) {
      const moment = moments[place];
      const held = moment === undefined ? undefined : test.cloud.holdPuts(moment);
      await producer.send(one);
      if (held === undefined) continue;
      await held;
      test.cloud.functions.get('online-update')?.kill();
      test.cloud.releasePuts();
    }
    const learnt = await learntAll();
    expect(await journalSamples()).toEqual(samples.flat());
    const expected = await undisturbed();
    expect(learnt.tensors).toEqual(expected.tensors);
    expect(learnt.scores).toEqual(expected.scores);
    expect(test.cloud.failedDeliveries()).toBe(moments.length);
  });

  it('end in the same bits when they are killed at random', async () => {
    const sending = sendAll();
    for (let kills = 0; kills < 6; kills++) {
      const before = (await state())?.learnt ?? 0;
      await until(async () =>
        ((await state())?.learnt ?? 0) > before || before === count ? true : undefined,
      );
      test.cloud.functions.get('online-update')?.kill();
    }
    await sending;
    const learnt = await learntAll();
    expect(await journalSamples()).toEqual(samples.flat());
    expect(learnt.tensors).toEqual((await undisturbed()).tensors);
  });

  it.each(['stop', 'crash'] as const)(
    'go on after a %s of the whole machine in mid-stream',
    async (how) => {
      await sendAll();
      await until(async () => (((await state())?.learnt ?? 0) > 4 ? true : undefined));
      test = await test.restart(how);
      const learnt = await learntAll();
      expect(await journalSamples()).toEqual(samples.flat());
      expect(learnt.tensors).toEqual((await undisturbed()).tensors);
    },
  );

  it('quarantine what cannot be learnt, learn the rest, and leave other models alone', async () => {
    const send = (group: string, body: string, deduplication: string) =>
      test.ports.sendSamples({ group, body, deduplication });
    const bad = { features: { urgency: 'high', team: 'red' }, label: true };
    // Here a message is to die soon.
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: await deadLettersArn(),
      maxReceiveCount: 5,
    });
    await test.cloud.sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl: test.cloud.address.samplesQueueUrl,
        Attributes: { RedrivePolicy },
      }),
    );
    await send('nobody', JSON.stringify({ samples: [ticket(1)] }), 'a');
    await send('no/model', JSON.stringify({ samples: [ticket(1)] }), 'b');
    await send(model, '{"samples": ', 'c');
    await send(model, JSON.stringify({ samples: [ticket(1), bad, ticket(2)] }), 'd');
    await until(async () => ((await state())?.learnt === 2 ? true : undefined));
    expect(await test.ports.store.list(keys.quarantines(model))).toHaveLength(2);

    const groups = new Set<string | undefined>();
    await until(async () => {
      const { Messages = [] } = await test.cloud.sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: deadLettersUrl(),
          WaitTimeSeconds: 1,
          MessageSystemAttributeNames: ['All'],
        }),
      );
      for (const { Attributes } of Messages) groups.add(Attributes?.MessageGroupId);
      return groups.size === 2 ? true : undefined;
    });
    expect(groups).toEqual(new Set(['nobody', 'no/model']));
  });

  it('are never reached by a body over 1 MiB: SQS refuses it', async () => {
    const tooLarge = new SendMessageCommand({
      QueueUrl: test.cloud.address.samplesQueueUrl,
      MessageBody: 'x'.repeat(1_048_577),
      MessageGroupId: model,
      MessageDeduplicationId: 'large',
    });
    await expect(test.cloud.sqs.send(tooLarge)).rejects.toThrow(
      /must be shorter than 1048576 bytes/,
    );
  });

  it('train a batch job in slices, promote it through the queue, and lose no update of the stream', async () => {
    const rows = Array.from({ length: 60 }, (_, i) => ({
      ...ticket(i).features,
      label: ticket(i).label,
    }));
    const csv = [
      'urgency,team,label',
      ...rows.map((row) => `${row.urgency},${row.team},${row.label}`),
    ].join('\n');
    await test.ports.store.put(`${keys.dataset('past')}rows.csv`, Buffer.from(csv));
    await test.ports.sendJob({
      group: model,
      body: JSON.stringify({ model, job: 'past-1', dataset: 'past' }),
      deduplication: 'x',
    });
    await sendAll();
    const learnt = await until(async () => {
      const current = await state();
      return current?.promoted?.job === 'past-1' && current.learnt === count ? current : undefined;
    });
    expect(await journalSamples()).toEqual(samples.flat());
    expect(learnt.scores.samples).toBe(count);
  });
});
