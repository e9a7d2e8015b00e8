import { Duration } from 'aws-cdk-lib';
import type { IGrantable, PolicyStatementProps } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  DeduplicationScope,
  FifoThroughputLimit,
  Queue,
  QueueEncryption,
} from 'aws-cdk-lib/aws-sqs';
import type { Construct, IConstruct } from 'constructs';
import { limits } from '../lib/limits.ts';
import { grant } from './grant.ts';

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
    encryptionKey,
  }: {
    readonly timeoutSeconds: number;
    readonly maximumReceives: number;
    readonly encryptionKey?: IKey | undefined;
  },
): QueueWithDeadLetters {
  const fifo = {
    fifo: true,
    contentBasedDeduplication: false,
    deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
    fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    ...(encryptionKey === undefined
      ? { encryption: QueueEncryption.SQS_MANAGED }
      : { encryption: QueueEncryption.KMS, encryptionMasterKey: encryptionKey }),
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

/** What somebody needs who sends to queues. */
export function statementsOfSender(queues: readonly Queue[]): readonly PolicyStatementProps[] {
  return [
    { actions: ['sqs:SendMessage'], resources: arnsOf(queues) },
    ...statementsOfKeys(['kms:GenerateDataKey', 'kms:Decrypt'], queues),
  ];
}

/** Lets somebody send to queues, and nothing else. */
export function allowToSend(grantee: IGrantable, queue: Queue, ...others: readonly Queue[]): void {
  grant(queue, grantee, ...statementsOfSender([queue, ...others]));
}

/** Lets somebody send very much to a queue: he sees how much waits there, and holds back. */
export function allowToFill(grantee: IGrantable, queue: Queue): void {
  allowToSend(grantee, queue);
  grant(queue, grantee, { actions: ['sqs:GetQueueAttributes'], resources: arnsOf([queue]) });
}

/** Lets somebody take dead letters out of their queues, once they are sent again. */
export function allowToRedrive(
  scope: IConstruct,
  grantee: IGrantable,
  queues: readonly QueueWithDeadLetters[],
): void {
  const all = queues.flatMap(({ queue, deadLetters }) => [queue, deadLetters]);
  const dead = queues.map(({ deadLetters }) => deadLetters);
  grant(
    scope,
    grantee,
    { actions: ['sqs:GetQueueAttributes'], resources: arnsOf(all) },
    {
      actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
      resources: arnsOf(dead),
    },
    ...statementsOfKeys(['kms:Decrypt'], dead),
  );
}

function arnsOf(queues: readonly Queue[]): string[] {
  return queues.map(({ queueArn }) => queueArn);
}

function statementsOfKeys(actions: string[], queues: readonly Queue[]): PolicyStatementProps[] {
  const keys = queues.flatMap(({ encryptionMasterKey: key }) => (key === undefined ? [] : [key]));
  const resources = [...new Set(keys.map(({ keyArn }) => keyArn))];
  return resources.length === 0 ? [] : [{ actions, resources }];
}
