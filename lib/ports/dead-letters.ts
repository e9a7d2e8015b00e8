import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import * as z from 'zod';
import { invalid, MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';

/** A message of a dead-letter queue, invisible to others until it is settled. */
export type DeadLetter = {
  readonly id: string;
  readonly body: string;
  readonly group: string;
  readonly sequenceNumber: string;
  /** Who sent it, as SQS says. */
  readonly sender: string | undefined;
  readonly receipt: string;
};

/** The dead letters of one queue. */
export type DeadLetters = {
  /** About how many there are. */
  readonly count: () => Promise<number>;
  /** The next ones, at most ten; none if the queue is empty. */
  readonly receive: () => Promise<readonly DeadLetter[]>;
  readonly remove: (letter: DeadLetter) => Promise<void>;
  /** Makes a letter visible again at once. */
  readonly release: (letter: DeadLetter) => Promise<void>;
};

const policySchema = z.object({ deadLetterTargetArn: z.string() });

/** Finds the dead-letter queue of a queue. @throws MillraceError kind `invalid` if it has none */
export async function deadLettersOf(client: SQSClient, queueUrl: string): Promise<DeadLetters> {
  const { Attributes } = await client
    .send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['RedrivePolicy'] }))
    .catch(unavailable);
  const policy = policySchema.safeParse(JSON.parse(Attributes?.RedrivePolicy ?? 'null'));
  if (!policy.success) throw invalid(`${queueUrl} has no dead-letter queue`);
  // It belongs to the same account and region.
  const QueueUrl = new URL(policy.data.deadLetterTargetArn.split(':').at(-1) ?? '', queueUrl).href;
  return {
    async count() {
      const { Attributes: attributes } = await client
        .send(
          new GetQueueAttributesCommand({
            QueueUrl,
            AttributeNames: ['ApproximateNumberOfMessages'],
          }),
        )
        .catch(unavailable);
      return Number(attributes?.ApproximateNumberOfMessages ?? 0);
    },
    async receive() {
      const { Messages = [] } = await client
        .send(
          new ReceiveMessageCommand({
            QueueUrl,
            MaxNumberOfMessages: 10,
            // (Whoever does not wait is told by some of the servers of SQS what they have alone.)
            WaitTimeSeconds: 1,
            VisibilityTimeout: limits.deadLetterSeconds,
            MessageSystemAttributeNames: ['MessageGroupId', 'SequenceNumber', 'SenderId'],
          }),
        )
        .catch(unavailable);
      return Messages.map((message) => ({
        id: message.MessageId ?? '',
        body: message.Body ?? '',
        group: message.Attributes?.MessageGroupId ?? '',
        sequenceNumber: message.Attributes?.SequenceNumber ?? '0',
        sender: message.Attributes?.SenderId,
        receipt: message.ReceiptHandle ?? '',
      }));
    },
    async remove({ receipt }) {
      await client
        .send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: receipt }))
        .catch(unavailable);
    },
    async release({ receipt }) {
      await client
        .send(
          new ChangeMessageVisibilityCommand({
            QueueUrl,
            ReceiptHandle: receipt,
            VisibilityTimeout: 0,
          }),
        )
        .catch((error: unknown) => {
          // It is visible again already.
          const isVisible = error instanceof Error && error.name.endsWith('MessageNotInflight');
          if (!isVisible) unavailable(error);
        });
    },
  };
}

function unavailable(cause: unknown): never {
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  throw new MillraceError('unavailable', `the dead letters cannot be reached: ${reason}`, {
    cause,
  });
}
