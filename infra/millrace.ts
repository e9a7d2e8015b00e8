import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { type CfnRole, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type FunctionUrl, FunctionUrlAuthType, RecursiveLoop } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { Universal } from 'aws-cdk-lib/aws-scheduler-targets';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { z } from 'zod';
import { limits } from '../lib/limits.ts';
import { parse, strictObject } from '../lib/parse.ts';
import { environmentNames, environmentOf } from '../lib/ports/aws.ts';
import { datasetName, modelName } from '../lib/spec/names.ts';
import { createAlarms } from './alarms.ts';
import { allow, createBucket, protectHistory } from './bucket.ts';
import { allowToRedrive, allowToSend, createQueue, type QueueWithDeadLetters } from './queues.ts';
import { scheduleExpression } from './schedule-expression.ts';
import { createFunction } from './training-function.ts';

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
   * Memory of each function that trains or predicts, in MiB; one vCPU comes with 1,769.
   * @default 1769
   */
  readonly memoryMebibytes?: number;
  /**
   * Told when an alarm rings, and when it is over.
   * @default nobody
   */
  readonly alarmTopic?: ITopic;
}

/**
 * Training without servers: a bucket with the models' journals; queues for samples, for batch jobs
 * and for commands; and the functions that work on them. Only the online update may write a journal
 * or a state, and the journal can be appended to, never rewritten.
 */
export class Millrace extends Construct {
  /** Specs, journals, checkpoints, datasets. Kept, with its policy, when the stack is removed. */
  readonly bucket: Bucket;
  /** FIFO; the message group is the model's name. Whoever may send to it may teach. */
  readonly samplesQueue: Queue;
  /** FIFO; the message group is the model's name. Whoever may send to it may start batch jobs. */
  readonly jobsQueue: Queue;
  /** FIFO; the message group is the model's name. Whoever may send to it may take back. */
  readonly commandsQueue: Queue;
  /** Predicts with the newest state of any model. Whoever may invoke it may ask. */
  readonly predictFunction: NodejsFunction;
  /** Its URL; requests are signed (AWS IAM). */
  readonly predictUrl: FunctionUrl;
  /** Everything that a person must look at. */
  readonly alarms: readonly Alarm[];
  readonly #queues: Readonly<Record<'Samples' | 'Jobs' | 'Commands', QueueWithDeadLetters>>;

  constructor(scope: Construct, id: string, props: MillraceProps = {}) {
    super(scope, id);
    this.bucket = createBucket(this);
    this.#queues = {
      Samples: createQueue(this, 'Samples', {
        timeoutSeconds: limits.onlineTimeoutSeconds,
        maximumReceives: limits.maximumReceives,
      }),
      Jobs: createQueue(this, 'Jobs', {
        timeoutSeconds: limits.batchTimeoutSeconds,
        maximumReceives: limits.maximumJobReceives,
      }),
      Commands: createQueue(this, 'Commands', {
        timeoutSeconds: limits.relayTimeoutSeconds,
        maximumReceives: limits.maximumReceives,
      }),
    };
    const { Samples, Jobs, Commands } = this.#queues;
    this.samplesQueue = Samples.queue;
    this.jobsQueue = Jobs.queue;
    this.commandsQueue = Commands.queue;
    const batchTrain = this.#createBatchTrain(props);
    const relayCommand = this.#createRelay();
    const onlineUpdate = this.#createOnlineUpdate(props, [batchTrain, relayCommand]);

    this.predictFunction = this.#createPredict(props);
    this.predictUrl = this.predictFunction.addFunctionUrl({
      authType: FunctionUrlAuthType.AWS_IAM,
    });

    const jobs = parse(z.array(scheduledJob), props.schedules ?? [], 'schedules');
    jobs.forEach((job, index) => {
      schedule(this, this.jobsQueue, job, index);
    });
    this.alarms = createAlarms(this, {
      queues: this.#queues,
      functions: {
        OnlineUpdate: { function: onlineUpdate, timeoutSeconds: limits.onlineTimeoutSeconds },
        BatchTrain: { function: batchTrain, timeoutSeconds: limits.batchTimeoutSeconds },
        RelayCommand: { function: relayCommand, timeoutSeconds: limits.relayTimeoutSeconds },
        Predict: { function: this.predictFunction, timeoutSeconds: limits.predictTimeoutSeconds },
      },
      hasSchedules: jobs.length > 0,
      topic: props.alarmTopic,
    });
    new CfnOutput(this, 'BucketName', { value: this.bucket.bucketName });
    new CfnOutput(this, 'SamplesQueueUrl', { value: this.samplesQueue.queueUrl });
    new CfnOutput(this, 'JobsQueueUrl', { value: this.jobsQueue.queueUrl });
    new CfnOutput(this, 'CommandsQueueUrl', { value: this.commandsQueue.queueUrl });
    new CfnOutput(this, 'PredictFunction', { value: this.predictFunction.functionName });
    new CfnOutput(this, 'PredictUrl', { value: this.predictUrl.url });
    new CfnOutput(this, 'CommandSenders', { value: sendersOf(batchTrain, relayCommand) });
  }

  /** Lets somebody teach: send samples, and nothing else. */
  grantProducer(grantee: IGrantable): void {
    allowToSend(grantee, this.samplesQueue);
  }

  /** Lets somebody ask for predictions, by invocation or through the URL, and nothing else. */
  grantPredict(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl'],
        resources: [this.predictFunction.functionArn],
      }),
    );
  }

  /**
   * Lets somebody read models: specs, states, journals, quarantine, progress; and predict with them
   * in a program of their own.
   */
  grantRead(grantee: IGrantable): void {
    allow(grantee, this.bucket, { read: ['models/*', 'compiled/*'] });
  }

  /**
   * Lets somebody declare models, start jobs, put datasets, roll back, retract, and send again what
   * was refused or died. It cannot change what was learnt before.
   */
  grantOperator(grantee: IGrantable): void {
    allow(grantee, this.bucket, {
      read: ['models/*', 'datasets/*', 'compiled/*'],
      write: [
        'models/*/spec.json',
        'models/*/resends/*',
        'models/*/jobs/retract-*/challenger.safetensors',
        'datasets/*',
        'compiled/*',
      ],
    });
    allowToSend(grantee, this.samplesQueue, this.jobsQueue, this.commandsQueue);
    allowToRedrive(grantee, Object.values(this.#queues));
  }

  /** What the functions know of the stack. */
  #environment(): Record<string, string> {
    return environmentOf({
      bucket: this.bucket.bucketName,
      samplesQueueUrl: this.samplesQueue.queueUrl,
      jobsQueueUrl: this.jobsQueue.queueUrl,
      commandsQueueUrl: this.commandsQueue.queueUrl,
    });
  }

  #createOnlineUpdate(
    { memoryMebibytes = limits.functionMemoryMebibytes }: MillraceProps,
    commanders: readonly NodejsFunction[],
  ): NodejsFunction {
    const onlineUpdate = createFunction(this, 'online-update', {
      timeoutSeconds: limits.onlineTimeoutSeconds,
      memoryMebibytes,
      environment: {
        ...this.#environment(),
        [environmentNames.commandSenders]: sendersOf(...commanders),
      },
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
    if (onlineUpdate.role !== undefined) protectHistory(this.bucket, onlineUpdate.role);
    return onlineUpdate;
  }

  #createBatchTrain({
    memoryMebibytes = limits.functionMemoryMebibytes,
  }: MillraceProps): NodejsFunction {
    const batchTrain = createFunction(this, 'batch-train', {
      timeoutSeconds: limits.batchTimeoutSeconds,
      memoryMebibytes,
      environment: this.#environment(),
      // A job continues itself through its queue; limits.slicesPerJob bounds it instead of Lambda's
      // guard.
      recursiveLoop: RecursiveLoop.ALLOW,
    });
    batchTrain.addEventSource(new SqsEventSource(this.jobsQueue, { batchSize: 1 }));
    allow(batchTrain, this.bucket, {
      read: ['models/*', 'datasets/*', 'prepared/*', 'compiled/*'],
      write: ['models/*/jobs/*', 'models/*/quarantine/*', 'prepared/*', 'compiled/*'],
    });
    allowToSend(batchTrain, this.samplesQueue, this.jobsQueue);
    return batchTrain;
  }

  #createPredict({
    memoryMebibytes = limits.functionMemoryMebibytes,
  }: MillraceProps): NodejsFunction {
    const predict = createFunction(this, 'predict', {
      timeoutSeconds: limits.predictTimeoutSeconds,
      memoryMebibytes,
      environment: this.#environment(),
    });
    allow(predict, this.bucket, { read: ['models/*', 'compiled/*'] });
    return predict;
  }

  #createRelay(): NodejsFunction {
    const relay = createFunction(this, 'relay-command', {
      timeoutSeconds: limits.relayTimeoutSeconds,
      memoryMebibytes: limits.relayMemoryMebibytes,
      environment: this.#environment(),
    });
    relay.addEventSource(new SqsEventSource(this.commandsQueue, { batchSize: 1 }));
    allowToSend(relay, this.samplesQueue);
    return relay;
  }
}

/** The unique ids of functions' roles, as SQS names who sent a message. */
function sendersOf(...functions: readonly NodejsFunction[]): string {
  return functions
    .map(({ role }) => (role?.node.defaultChild as CfnRole | undefined)?.attrRoleId ?? '')
    .join(',');
}

/** Sends a job message; the time it was due makes a repeated delivery the same message. */
function schedule(
  scope: Construct,
  queue: Queue,
  { schedule: expression, ...job }: z.output<typeof scheduledJob>,
  index: number,
): void {
  const input = {
    QueueUrl: queue.queueUrl,
    MessageBody: Stack.of(scope).toJsonString(job),
    MessageGroupId: job.model,
    MessageDeduplicationId: `${job.model}:schedule-${index + 1}:<aws.scheduler.scheduled-time>`,
  };
  new Schedule(scope, `Schedule${index + 1}`, {
    schedule: ScheduleExpression.expression(expression),
    description: `Train ${job.model} on ${job.dataset}`,
    target: new Universal({
      service: 'sqs',
      action: 'sendMessage',
      input: ScheduleTargetInput.fromObject(input),
      policyStatements: [
        new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queue.queueArn] }),
      ],
    }),
  });
}
