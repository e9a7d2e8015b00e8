import {
  ChangeMessageVisibilityBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { MillraceError } from '../errors.ts';
import type { Log, Sender } from './ports.ts';

/** What SQS answers to a message that it will never take. */
const refusals = /InvalidMessageContents|InvalidParameterValue/;

/** JSON as SQS takes it: it may hold two characters that SQS refuses. */
export function forQueue(body: string): string {
  return body.replaceAll('\ufffe', '\\ufffe').replaceAll('\uffff', '\\uffff');
}

/**
 * Sends to one FIFO queue through the AWS SDK.
 *
 * @throws MillraceError kind `invalid` if SQS can never take the message (it is too large),
 *   `unavailable` otherwise
 */
export function sqsSender(client: SQSClient, queueUrl: string): Sender {
  return async ({ body, group, deduplication }) => {
    try {
      await client.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: forQueue(body),
          MessageGroupId: group,
          MessageDeduplicationId: deduplication,
        }),
      );
    } catch (cause) {
      const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      const kind = refusals.test(reason) ? 'invalid' : 'unavailable';
      throw new MillraceError(kind, `sending to ${queueUrl} failed: ${reason}`, { cause });
    }
  };
}

/** A message in flight, and when it is visible to others again. */
export type Visibility = { readonly receipt: string; readonly seconds: number };

/**
 * Sets when messages in flight, at most ten, are delivered again. What cannot be set stays as it
 * was: they come back after the queue's own visibility timeout.
 */
export type SetVisibility = (messages: readonly Visibility[]) => Promise<void>;

/** Sets the visibility of messages of one queue through the AWS SDK; it never throws. */
export function sqsVisibility(client: SQSClient, queueUrl: string, log: Log): SetVisibility {
  return async (messages) => {
    if (messages.length === 0) return;
    try {
      const { Failed = [] } = await client.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: queueUrl,
          Entries: messages.map(({ receipt, seconds }, i) => ({
            Id: String(i),
            ReceiptHandle: receipt,
            VisibilityTimeout: Math.ceil(seconds),
          })),
        }),
      );
      if (Failed.length > 0)
        log.warn('messages come back late', {
          messages: Failed.length,
          reason: Failed[0]?.Message,
        });
    } catch (cause) {
      const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      log.warn('messages come back late', { messages: messages.length, reason });
    }
  };
}
