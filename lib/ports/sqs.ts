import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { MillraceError } from '../errors.ts';
import type { Sender } from './ports.ts';

/** Sends to one FIFO queue through the AWS SDK. */
export function sqsSender(client: SQSClient, queueUrl: string): Sender {
  return async ({ body, group, deduplication }) => {
    try {
      await client.send(
        new SendMessageCommand({
          QueueUrl: queueUrl,
          MessageBody: body,
          MessageGroupId: group,
          MessageDeduplicationId: deduplication,
        }),
      );
    } catch (cause) {
      const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
      throw new MillraceError('unavailable', `sending to ${queueUrl} failed: ${reason}`, { cause });
    }
  };
}
