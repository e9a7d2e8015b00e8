import { Duration } from 'aws-cdk-lib';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  DeduplicationScope,
  FifoThroughputLimit,
  Queue,
  QueueEncryption,
} from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';

/** A queue, and the dead letters of it. */
export type QueueWithDeadLetters = { readonly queue: Queue; readonly deadLetters: Queue };

/**
 * A high-throughput FIFO queue with a dead-letter queue. No fixed name: a queue that is deleted and
 * created again under its old name would number its messages anew, and they would seem settled.
 */
export function createQueue(
  scope: Construct,
  id: string,
  {
    timeoutSeconds,
    maximumReceives,
  }: { readonly timeoutSeconds: number; readonly maximumReceives: number },
): QueueWithDeadLetters {
  const fifo = {
    fifo: true,
    contentBasedDeduplication: false,
    deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    maxMessageSizeBytes: limits.messageBytes,
  };
  const deadLetters = new Queue(scope, `${id}DeadLetters`, fifo);
  const queue = new Queue(scope, id, {
    ...fifo,
    visibilityTimeout: Duration.seconds(timeoutSeconds * limits.visibilityPerTimeout),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: maximumReceives },
  });
  return { queue, deadLetters };
}

/** Lets somebody send to a queue, and nothing else. */
export function allowToSend(grantee: IGrantable, ...queues: readonly Queue[]): void {
  grant(grantee, ['sqs:SendMessage'], queues);
}

/** Lets somebody take dead letters out of their queues, once they are sent again. */
export function allowToRedrive(grantee: IGrantable, queues: readonly QueueWithDeadLetters[]): void {
  grant(
    grantee,
    ['sqs:GetQueueAttributes'],
    queues.flatMap(({ queue, deadLetters }) => [queue, deadLetters]),
  );
  grant(
    grantee,
    ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
    queues.map(({ deadLetters }) => deadLetters),
  );
}

function grant(grantee: IGrantable, actions: string[], queues: readonly Queue[]): void {
  const resources = queues.map(({ queueArn }) => queueArn);
  grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
}
