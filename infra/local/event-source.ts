import { setTimeout as delay } from 'node:timers/promises';
import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import * as z from 'zod';
import type { FunctionHost } from './function-host.ts';
import { local } from './template.ts';

/** An event source mapping as the template describes it. */
export type EventSourceSettings = {
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  /** Whether the function names the messages that failed (`ReportBatchItemFailures`). */
  readonly reportsFailures: boolean;
};

const responseSchema = z
  .object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })).default([]) })
  .nullish();

const retryMilliseconds = 1_000;

/** Polls a queue for a function, until it is stopped. */
export type EventSource = {
  /** Deliveries that failed or were refused in part, so that messages were delivered again. */
  readonly failures: () => number;
  readonly stop: () => Promise<void>;
};

/**
 * Polls as an event source mapping does: at most `batchSize` messages at a time, one delivery in
 * flight, so one a message group; what succeeded is deleted, what failed comes back when it is
 * visible again, which the function may have set.
 */
export function pollQueue(
  sqs: SQSClient,
  settings: EventSourceSettings,
  host: FunctionHost,
): EventSource {
  const stopping = new AbortController();
  let failures = 0;
  const deliverNext = async () => {
    const messages = await receive(sqs, settings, stopping.signal);
    if (messages.length === 0) return;
    const failed = await deliver(settings, host, messages);
    if (failed.size > 0) failures += 1;
    const isFailed = ({ MessageId = '' }: Message) => failed.has(MessageId);
    await remove(
      sqs,
      settings,
      messages.filter((message) => !isFailed(message)),
    );
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      try {
        await deliverNext();
      } catch (error) {
        if (stopping.signal.aborted) return;
        // What was not deleted comes back after its visibility timeout.
        console.error(`polling ${settings.queueArn}:`, error);
        await delay(retryMilliseconds);
      }
    }
  };
  const done = loop();
  return {
    failures: () => failures,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

async function receive(
  sqs: SQSClient,
  settings: EventSourceSettings,
  abortSignal: AbortSignal,
): Promise<Message[]> {
  try {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: settings.queueUrl,
        MaxNumberOfMessages: Math.min(settings.batchSize, 10),
        WaitTimeSeconds: 20,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
      { abortSignal },
    );
    return Messages;
  } catch (error) {
    if (abortSignal.aborted) return [];
    throw error;
  }
}

/** Invokes the function; returns the ids of the messages that failed. */
async function deliver(
  settings: EventSourceSettings,
  host: FunctionHost,
  messages: Message[],
): Promise<Set<string>> {
  const all = new Set(messages.map(({ MessageId = '' }) => MessageId));
  try {
    const result = await host.invoke({
      Records: messages.map((message) => record(message, settings)),
    });
    if (!settings.reportsFailures) return new Set();
    const failed = responseSchema.parse(result)?.batchItemFailures ?? [];
    return new Set(failed.map(({ itemIdentifier }) => itemIdentifier).filter((id) => all.has(id)));
  } catch {
    // The function threw, died or ran out of time; its log says which. All messages come back.
    return all;
  }
}

function record(message: Message, { queueArn }: EventSourceSettings) {
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes ?? {},
    messageAttributes: {},
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: local.region,
  };
}

async function remove(
  sqs: SQSClient,
  { queueUrl }: EventSourceSettings,
  messages: Message[],
): Promise<void> {
  if (messages.length === 0) return;
  const Entries = messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }));
  await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
}
