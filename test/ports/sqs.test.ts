import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqsVisibility } from '../../lib/ports/sqs.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe("the local cloud's SQS, over HTTP through the AWS SDK", () => {
  let test: TestCloud;
  /** A dead-letter queue: no function polls it. */
  let queueUrl = '';
  beforeAll(async () => {
    test = await startTestCloud();
    queueUrl = Object.values(test.cloud.deadLetterUrls)[0] ?? '';
  });
  afterAll(() => test.remove());

  const sqs = () => test.cloud.sqs;
  const send = (group: string, body: string, deduplication = body) =>
    sqs().send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageGroupId: group,
        MessageBody: body,
        MessageDeduplicationId: deduplication,
      }),
    );
  const receive = async (seconds = 3_600): Promise<Message[]> => {
    const { Messages = [] } = await test.cloud.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: seconds,
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return Messages;
  };
  const bodies = (messages: readonly Message[]) => messages.map(({ Body }) => Body);
  const remove = async (messages: readonly Message[]) => {
    const Entries = messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
    await test.cloud.sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
  };

  it('deduplicates within a message group, not over the queue', async () => {
    for (const group of ['a', 'b', 'a']) await send(group, `of ${group}`, 'same');
    const received = await receive();
    expect(bodies(received).sort()).toEqual(['of a', 'of b']);
    await remove(received);
  });

  it('gives up to ten messages of a group, and none of a group that is in flight', async () => {
    for (let i = 0; i < 12; i++) await send('c', `c${i}`);
    await send('d', 'd');
    const first = await receive();
    expect(bodies(first)).toEqual(Array.from({ length: 10 }, (_, i) => `c${i}`));
    const second = await receive();
    expect(bodies(second)).toEqual(['d']);
    expect(await receive()).toEqual([]);
    await remove(first);
    await remove(second);
    const rest = await receive();
    expect(bodies(rest)).toEqual(['c10', 'c11']);
    await remove(rest);
  });

  it('delivers what is given back in order, once it is visible', async () => {
    for (let i = 0; i < 4; i++) await send('e', `e${i}`);
    const received = await receive();
    await remove(received.slice(0, 1));
    const setVisibility = sqsVisibility(test.cloud.sqs, queueUrl, log);
    const left = received.slice(1).map(({ ReceiptHandle = '' }) => ReceiptHandle);
    await setVisibility(left.map((receipt) => ({ receipt, seconds: 0 })));
    const again = await receive(360);
    expect(bodies(again)).toEqual(['e1', 'e2', 'e3']);
    expect(again.map(({ Attributes }) => Attributes?.ApproximateReceiveCount)).toEqual([
      '2',
      '2',
      '2',
    ]);
    // A visibility timeout that runs out is as good.
    const expired = await until(async () => {
      const messages = await receive();
      return messages.length > 0 ? messages : undefined;
    });
    expect(bodies(expired)).toEqual(['e1', 'e2', 'e3']);
    await remove(expired);
  });

  it('says which messages could not be given back, and does not throw', async () => {
    const warnings: unknown[] = [];
    const warn = (...said: unknown[]) => void warnings.push(said);
    await sqsVisibility(test.cloud.sqs, queueUrl, { ...log, warn })([{ receipt: 'x', seconds: 1 }]);
    await sqsVisibility(test.cloud.sqs, `${queueUrl}x`, { ...log, warn })([
      { receipt: 'x', seconds: 1 },
    ]);
    expect(warnings).toHaveLength(2);
  });
});
