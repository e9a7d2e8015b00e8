import { CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { RecursiveLoop } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { BlockPublicAccess, Bucket, BucketEncryption, StorageClass } from 'aws-cdk-lib/aws-s3';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { Universal } from 'aws-cdk-lib/aws-scheduler-targets';
import {
  DeduplicationScope,
  FifoThroughputLimit,
  Queue,
  QueueEncryption,
} from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { z } from 'zod';
import { limits } from '../lib/limits.ts';
import { parse, strictObject } from '../lib/parse.ts';
import { environmentOf } from '../lib/ports/aws.ts';
import { datasetName, modelName } from '../lib/spec/names.ts';
import { scheduleExpression } from './schedule-expression.ts';
import { allow, createFunction, namespace } from './training-function.ts';

/** A batch job that runs on a schedule. */
export interface ScheduledJob {
  /** The model to train. */
  readonly model: string;
  /** A dataset below `datasets/`, or `journal` for the samples that arrived. */
  readonly dataset: string;
  /** `rate(1 day)` or `cron(0 3 * * ? *)`, in UTC. */
  readonly schedule: string;
  /**
   * Where the weights come from.
   * @default 'champion': the weights in use
   */
  readonly start?: 'champion' | 'fresh';
}

const scheduledJob = strictObject({
  model: modelName,
  dataset: datasetName,
  schedule: scheduleExpression,
  start: z.enum(['champion', 'fresh']).optional(),
});

/** Settings of {@link Millrace}. */
export interface MillraceProps {
  /**
   * Batch jobs that run on a schedule.
   * @default none
   */
  readonly schedules?: readonly ScheduledJob[];
  /**
   * Memory of each function, in MiB; one vCPU comes with 1,769.
   * @default 1769
   */
  readonly memoryMebibytes?: number;
}

/**
 * Training without servers: a bucket with the models' journals, a queue for samples and one for
 * batch jobs, and the two functions that work on them. Only the online update may write a journal
 * or a state, and the journal can be appended to, never rewritten.
 */
export class Millrace extends Construct {
  /** Specs, journals, checkpoints and datasets. Kept when the stack is removed. */
  readonly bucket: Bucket;
  /** FIFO; the message group is the model's name. */
  readonly samplesQueue: Queue;
  /** FIFO; the message group is the model's name. */
  readonly jobsQueue: Queue;

  constructor(scope: Construct, id: string, props: MillraceProps = {}) {
    super(scope, id);
    this.bucket = createBucket(this);
    this.samplesQueue = createQueue(this, 'Samples', {
      timeoutSeconds: limits.onlineTimeoutSeconds,
      maximumReceives: limits.maximumReceives,
    });
    this.jobsQueue = createQueue(this, 'Jobs', {
      timeoutSeconds: limits.batchTimeoutSeconds,
      maximumReceives: limits.maximumJobReceives,
    });
    const environment = environmentOf({
      bucket: this.bucket.bucketName,
      samplesQueueUrl: this.samplesQueue.queueUrl,
      jobsQueueUrl: this.jobsQueue.queueUrl,
    });
    const memoryMebibytes = props.memoryMebibytes ?? limits.functionMemoryMebibytes;

    const onlineUpdate = createFunction(this, 'online-update', {
      timeoutSeconds: limits.onlineTimeoutSeconds,
      memoryMebibytes,
      environment,
    });
    onlineUpdate.addEventSource(
      new SqsEventSource(this.samplesQueue, { batchSize: 10, reportBatchItemFailures: true }),
    );
    allow(onlineUpdate, this.bucket, {
      read: ['models/*', 'datasets/*', 'compiled/*'],
      write: [
        'models/*/journal/*',
        'models/*/state.safetensors',
        'models/*/checkpoints/*',
        'models/*/caught-up/*',
        'models/*/quarantine/*',
        'compiled/*',
      ],
    });

    const batchTrain = createFunction(this, 'batch-train', {
      timeoutSeconds: limits.batchTimeoutSeconds,
      memoryMebibytes,
      environment,
      // A job continues itself through its queue; limits.slicesPerJob bounds it instead of Lambda's
      // guard.
      recursiveLoop: RecursiveLoop.ALLOW,
    });
    batchTrain.addEventSource(new SqsEventSource(this.jobsQueue, { batchSize: 1 }));
    allow(batchTrain, this.bucket, {
      read: ['models/*', 'datasets/*', 'prepared/*', 'compiled/*'],
      write: ['models/*/jobs/*', 'models/*/quarantine/*', 'prepared/*', 'compiled/*'],
    });
    this.samplesQueue.grantSendMessages(batchTrain);
    this.jobsQueue.grantSendMessages(batchTrain);

    const jobs = parse(z.array(scheduledJob), props.schedules ?? [], 'schedules');
    jobs.forEach((job, index) => {
      schedule(this, this.jobsQueue, job, index);
    });
    alarm(
      this,
      'ModelsStoppedAlarm',
      stoppedModels(),
      'A model was stopped: its stored data breaks an invariant.',
    );
    new CfnOutput(this, 'BucketName', { value: this.bucket.bucketName });
    new CfnOutput(this, 'SamplesQueueUrl', { value: this.samplesQueue.queueUrl });
    new CfnOutput(this, 'JobsQueueUrl', { value: this.jobsQueue.queueUrl });
  }
}

/** Private, versioned, encrypted, TLS only; the journal create-only and never deleted. */
function createBucket(scope: Construct): Bucket {
  const bucket = new Bucket(scope, 'Bucket', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    versioned: true,
    removalPolicy: RemovalPolicy.RETAIN,
    lifecycleRules: [
      // Each published state replaces the last; journal entries never have a second version.
      {
        noncurrentVersionExpiration: Duration.days(7),
        abortIncompleteMultipartUploadAfter: Duration.days(1),
      },
      {
        prefix: 'models/',
        transitions: [
          { storageClass: StorageClass.INTELLIGENT_TIERING, transitionAfter: Duration.days(30) },
        ],
      },
      { prefix: 'prepared/', expiration: Duration.days(30) },
      { prefix: 'compiled/', expiration: Duration.days(365) },
    ],
  });
  denyOnJournal(bucket, ['s3:PutObject'], {
    // Parts of a multipart upload create nothing; completing it does, and carries the condition.
    Null: { 's3:if-none-match': 'true' },
    Bool: { 's3:ObjectCreationOperation': 'true' },
  });
  denyOnJournal(bucket, ['s3:DeleteObject', 's3:DeleteObjectVersion']);
  return bucket;
}

/** S3 itself refuses, whatever the caller's own permissions are. */
function denyOnJournal(
  bucket: Bucket,
  actions: string[],
  conditions?: Record<string, Record<string, string>>,
): void {
  bucket.addToResourcePolicy(
    new PolicyStatement({
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions,
      resources: [bucket.arnForObjects('models/*/journal/*')],
      ...(conditions === undefined ? {} : { conditions }),
    }),
  );
}

/**
 * A high-throughput FIFO queue with a dead-letter queue. No fixed name: a queue that is deleted and
 * created again under its old name would number its messages anew, and they would seem settled.
 */
function createQueue(
  scope: Construct,
  id: string,
  {
    timeoutSeconds,
    maximumReceives,
  }: { readonly timeoutSeconds: number; readonly maximumReceives: number },
): Queue {
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
  alarm(
    scope,
    `${id}DeadLettersAlarm`,
    deadLetters.metricApproximateNumberOfMessagesVisible(),
    `Messages of ${id} could not be settled.`,
  );
  return new Queue(scope, id, {
    ...fifo,
    visibilityTimeout: Duration.seconds(timeoutSeconds * limits.visibilityPerTimeout),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: maximumReceives },
  });
}

/** Sends a job message; the time it was due makes a repeated delivery the same message. */
function schedule(
  scope: Construct,
  queue: Queue,
  { schedule: expression, ...job }: z.output<typeof scheduledJob>,
  index: number,
): void {
  new Schedule(scope, `Schedule${index + 1}`, {
    schedule: ScheduleExpression.expression(expression),
    description: `Train ${job.model} on ${job.dataset}`,
    target: new Universal({
      service: 'sqs',
      action: 'sendMessage',
      input: ScheduleTargetInput.fromObject({
        QueueUrl: queue.queueUrl,
        MessageBody: Stack.of(scope).toJsonString(job),
        MessageGroupId: job.model,
        MessageDeduplicationId: `${job.model}:schedule-${index + 1}:<aws.scheduler.scheduled-time>`,
      }),
      policyStatements: [
        new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queue.queueArn] }),
      ],
    }),
  });
}

function stoppedModels(): Metric {
  return new Metric({
    namespace,
    metricName: 'ModelsStopped',
    dimensionsMap: { service: 'online-update' },
    statistic: 'Sum',
    period: Duration.minutes(5),
  });
}

function alarm(scope: Construct, id: string, metric: IMetric, alarmDescription: string): void {
  new Alarm(scope, id, {
    metric,
    alarmDescription,
    threshold: 0,
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
}
