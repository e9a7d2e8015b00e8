import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { MillraceError } from '../errors.ts';
import type { Sender } from './ports.ts';

/** What SQS answers to a message that it will never take. */
const refusals = /InvalidMessageContents|InvalidParameterValue/;

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
          // JSON may hold these two as they are; SQS refuses them.
          MessageBody: body.replaceAll('\ufffe', '\\ufffe').replaceAll('\uffff', '\\uffff'),
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
