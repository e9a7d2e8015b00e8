import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { StackAddress } from './address.ts';
import { deadLettersOf } from './dead-letters.ts';

/** About how much is in a queue of a stack. */
export type QueueDepth = {
  readonly queue: 'samples' | 'jobs' | 'commands';
  /** Messages that wait, and messages that a function has. */
  readonly waiting: number;
  readonly inFlight: number;
  readonly deadLetters: number;
};

/** How much is in the queues of a stack. @throws MillraceError kind `unavailable` */
export async function queueDepths(
  client: SQSClient,
  { samplesQueueUrl, jobsQueueUrl, commandsQueueUrl }: StackAddress,
): Promise<readonly QueueDepth[]> {
  const urls = { samples: samplesQueueUrl, jobs: jobsQueueUrl, commands: commandsQueueUrl };
  const depths: QueueDepth[] = [];
  for (const queue of ['samples', 'jobs', 'commands'] as const) {
    const deadLetters = await (await deadLettersOf(client, urls[queue])).count();
    const { Attributes = {} } = await client.send(
      new GetQueueAttributesCommand({
        QueueUrl: urls[queue],
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
    );
    depths.push({
      queue,
      waiting: Number(Attributes.ApproximateNumberOfMessages ?? 0),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
      deadLetters,
    });
  }
  return depths;
}
