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
    depths.push({ queue, ...(await depthOf(client, urls[queue])), deadLetters });
  }
  return depths;
}

/** About how many messages of a queue wait, and how many a function has. */
export async function depthOf(
  client: SQSClient,
  queueUrl: string,
): Promise<Pick<QueueDepth, 'waiting' | 'inFlight'>> {
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({
      QueueUrl: queueUrl,
      AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
    }),
  );
  return {
    waiting: Number(Attributes.ApproximateNumberOfMessages ?? 0),
    inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
  };
}
