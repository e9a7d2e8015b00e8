import { CfnOutput, type Size, SizeRoundingBehavior } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { type CfnRole, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  Architecture,
  type FunctionOptions,
  type FunctionUrl,
  FunctionUrlAuthType,
  type Function as LambdaFunction,
  RecursiveLoop,
} from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { type ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';
import { environmentNames, environmentOf } from '../lib/ports/address.ts';
import { createAlarms } from './alarms.ts';
import { allow, createBucket, operatorWrites, protectHistory } from './bucket.ts';
import { functionsCode } from './functions-code.ts';
import { allowToRedrive, allowToSend, createQueue, type QueueWithDeadLetters } from './queues.ts';
import { createSchedules, type ScheduledJob } from './schedules.ts';
import { createFunction, type SharedSettings } from './training-function.ts';

/** Settings of {@link Millrace}. */
export interface MillraceProps {
  /**
   * Batch jobs that run on a schedule.
   * @default none
   */
  readonly schedules?: readonly ScheduledJob[];
  /**
   * A bucket that exists. Its models stay what they are. One that another stack owns must have the
   * policy that protects the journal ([SECURITY.md]); a warning says so.
   * @default a new one: private, versioned, encrypted, kept when the stack is removed
   */
  readonly bucket?: IBucket;
  /**
   * Encrypts the queues, and the bucket if it is a new one. Whoever is granted something may use it
   * for that.
   * @default keys that S3 and SQS manage
   */
  readonly encryptionKey?: IKey;
  /** How long the functions' logs are kept. @default a month */
  readonly logRetention?: RetentionDays;
  /**
   * Memory of each function that trains or predicts; one vCPU comes with 1,769 MiB.
   * @default 1769 MiB
   */
  readonly memory?: Size;
  /**
   * X86_64 costs a quarter more, and its ONNX Runtime has wider vectors for large networks. What
   * the engine `wasm` computes has the same bits on both.
   * @default Architecture.ARM_64
   */
  readonly architecture?: Architecture;
  /**
   * Settings of all functions beside those that the construct needs: a VPC, tracing, environment.
   * @default none
   */
  readonly functionProps?: FunctionOptions;
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
  readonly bucket: IBucket;
  /** FIFO; the message group is the model's name. Whoever may send to it may teach. */
  readonly samplesQueue: Queue;
  /** FIFO; the message group is the model's name. Whoever may send to it may start batch jobs. */
  readonly jobsQueue: Queue;
  /** FIFO; the message group is the model's name. Whoever may send to it may take back. */
  readonly commandsQueue: Queue;
  /** Predicts with the newest state of any model. Whoever may invoke it may ask. */
  readonly predictFunction: LambdaFunction;
  /** Its URL; requests are signed (AWS IAM). */
  readonly predictUrl: FunctionUrl;
  /** Everything that a person must look at. */
  readonly alarms: readonly Alarm[];
  readonly #shared: SharedSettings;
  readonly #memoryMebibytes: number;
  readonly #queues: Readonly<Record<'Samples' | 'Jobs' | 'Commands', QueueWithDeadLetters>>;
  readonly #logGroups: readonly ILogGroup[];

  constructor(scope: Construct, id: string, props: MillraceProps = {}) {
    super(scope, id);
    const { encryptionKey, schedules = [], architecture = Architecture.ARM_64 } = props;
    this.#memoryMebibytes =
      props.memory?.toMebibytes({ rounding: SizeRoundingBehavior.FLOOR }) ??
      limits.functionMemoryMebibytes;
    this.#shared = {
      code: functionsCode(this, architecture),
      architecture,
      logRetention: props.logRetention ?? RetentionDays.ONE_MONTH,
      options: props.functionProps ?? {},
    };
    this.bucket = props.bucket ?? createBucket(this, encryptionKey);
    this.#queues = {
      Samples: createQueue(this, 'Samples', {
        timeoutSeconds: limits.onlineTimeoutSeconds,
        maximumReceives: limits.maximumReceives,
        encryptionKey,
      }),
      Jobs: createQueue(this, 'Jobs', {
        timeoutSeconds: limits.batchTimeoutSeconds,
        maximumReceives: limits.maximumJobReceives,
        encryptionKey,
      }),
      Commands: createQueue(this, 'Commands', {
        timeoutSeconds: limits.relayTimeoutSeconds,
        maximumReceives: limits.maximumReceives,
        encryptionKey,
      }),
    };
    const { Samples, Jobs, Commands } = this.#queues;
    this.samplesQueue = Samples.queue;
    this.jobsQueue = Jobs.queue;
    this.commandsQueue = Commands.queue;
    const batchTrain = this.#createBatchTrain();
    const relayCommand = this.#createRelay();
    const onlineUpdate = this.#createOnlineUpdate([batchTrain, relayCommand]);

    this.predictFunction = this.#createPredict();
    this.predictUrl = this.predictFunction.addFunctionUrl({
      authType: FunctionUrlAuthType.AWS_IAM,
    });

    this.#logGroups = [onlineUpdate, batchTrain, relayCommand, this.predictFunction].map(
      ({ logGroup }) => logGroup,
    );
    createSchedules(this, this.jobsQueue, schedules);
    this.alarms = createAlarms(this, {
      queues: this.#queues,
      functions: {
        OnlineUpdate: { function: onlineUpdate, timeoutSeconds: limits.onlineTimeoutSeconds },
        BatchTrain: { function: batchTrain, timeoutSeconds: limits.batchTimeoutSeconds },
        RelayCommand: { function: relayCommand, timeoutSeconds: limits.relayTimeoutSeconds },
        Predict: { function: this.predictFunction, timeoutSeconds: limits.predictTimeoutSeconds },
      },
      hasSchedules: schedules.length > 0,
      topic: props.alarmTopic,
    });
    new CfnOutput(this, 'BucketName', { value: this.bucket.bucketName });
    new CfnOutput(this, 'SamplesQueueUrl', { value: this.samplesQueue.queueUrl });
    new CfnOutput(this, 'JobsQueueUrl', { value: this.jobsQueue.queueUrl });
    new CfnOutput(this, 'CommandsQueueUrl', { value: this.commandsQueue.queueUrl });
    new CfnOutput(this, 'PredictFunction', { value: this.predictFunction.functionName });
    new CfnOutput(this, 'PredictUrl', { value: this.predictUrl.url });
    new CfnOutput(this, 'CommandSenders', { value: sendersOf(batchTrain, relayCommand) });
    new CfnOutput(this, 'LogGroups', {
      value: this.#logGroups.map(({ logGroupName }) => logGroupName).join(','),
    });
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
    allow(grantee, this.bucket, { read: ['models/*', 'initial-weights/*', 'compiled/*'] });
  }

  /**
   * Lets somebody declare models, change their specs, start jobs, put datasets, roll back, retract,
   * send again what was refused or died, and read the functions' logs. It cannot change what was
   * learnt before.
   */
  grantOperator(grantee: IGrantable): void {
    allow(grantee, this.bucket, {
      read: ['models/*', 'initial-weights/*', 'datasets/*', 'compiled/*', 'asked/*'],
      write: operatorWrites,
    });
    allowToSend(grantee, this.samplesQueue, this.jobsQueue, this.commandsQueue);
    allowToRedrive(grantee, Object.values(this.#queues));
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({
        actions: ['logs:FilterLogEvents'],
        resources: this.#logGroups.map(({ logGroupArn }) => logGroupArn),
      }),
    );
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

  #createOnlineUpdate(commanders: readonly LambdaFunction[]): LambdaFunction {
    const onlineUpdate = createFunction(this, 'online-update', this.#shared, {
      timeoutSeconds: limits.onlineTimeoutSeconds,
      memoryMebibytes: this.#memoryMebibytes,
      environment: {
        ...this.#environment(),
        [environmentNames.commandSenders]: sendersOf(...commanders),
      },
    });
    onlineUpdate.addEventSource(
      new SqsEventSource(this.samplesQueue, { batchSize: 10, reportBatchItemFailures: true }),
    );
    allow(onlineUpdate, this.bucket, {
      read: ['models/*', 'initial-weights/*', 'datasets/*', 'compiled/*', 'asked/*'],
      write: [
        'asked/*',
        'models/*/journal/*',
        'models/*/state.safetensors',
        'models/*/checkpoints/*',
        'models/*/segments/*',
        'models/*/caught-up/*',
        'models/*/quarantine/*',
        'models/*/jobs/*/progress.json',
        'compiled/*',
      ],
    });
    allowToSend(onlineUpdate, this.jobsQueue);
    if (onlineUpdate.role !== undefined) protectHistory(this, this.bucket, onlineUpdate.role);
    return onlineUpdate;
  }

  #createBatchTrain(): LambdaFunction {
    const batchTrain = createFunction(this, 'batch-train', this.#shared, {
      timeoutSeconds: limits.batchTimeoutSeconds,
      memoryMebibytes: this.#memoryMebibytes,
      environment: this.#environment(),
      // A job continues itself through its queue; limits.slicesPerJob bounds it instead of Lambda's
      // guard.
      recursiveLoop: RecursiveLoop.ALLOW,
    });
    batchTrain.addEventSource(new SqsEventSource(this.jobsQueue, { batchSize: 1 }));
    allow(batchTrain, this.bucket, {
      read: ['models/*', 'initial-weights/*', 'datasets/*', 'prepared/*', 'compiled/*'],
      write: ['models/*/jobs/*', 'models/*/quarantine/*', 'prepared/*', 'compiled/*'],
    });
    allowToSend(batchTrain, this.samplesQueue, this.jobsQueue);
    return batchTrain;
  }

  #createPredict(): LambdaFunction {
    const predict = createFunction(this, 'predict', this.#shared, {
      timeoutSeconds: limits.predictTimeoutSeconds,
      memoryMebibytes: this.#memoryMebibytes,
      environment: this.#environment(),
    });
    allow(predict, this.bucket, {
      read: ['models/*', 'initial-weights/*', 'compiled/*', 'asked/*'],
      write: ['asked/*'],
    });
    return predict;
  }

  #createRelay(): LambdaFunction {
    const relay = createFunction(this, 'relay-command', this.#shared, {
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
function sendersOf(...functions: readonly LambdaFunction[]): string {
  return functions
    .map(({ role }) => (role?.node.defaultChild as CfnRole | undefined)?.attrRoleId ?? '')
    .join(',');
}
