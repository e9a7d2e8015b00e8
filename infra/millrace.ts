import { CfnOutput, type Size, SizeRoundingBehavior, Stack } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  Architecture,
  type FunctionOptions,
  type FunctionUrl,
  FunctionUrlAuthType,
  type Function as LambdaFunction,
} from 'aws-cdk-lib/aws-lambda';
import { type ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';
import { createAlarms, type Watched } from './alarms.ts';
import { allow, createBucket, operatorWrites } from './bucket.ts';
import { checkProps } from './check-props.ts';
import { createFunctions, type Functions, type PreparationProps } from './functions.ts';
import { functionsCode } from './functions-code.ts';
import { grant, withRoom } from './grant.ts';
import {
  allowToFill,
  allowToRedrive,
  allowToSend,
  createQueue,
  type QueueWithDeadLetters,
} from './queues.ts';
import { createSchedules, type ScheduledJob, scheduleDefaults } from './schedules.ts';
import { sendersOf } from './senders.ts';

/** Settings of {@link Millrace}. */
export interface MillraceProps {
  /**
   * Batch jobs that run on a schedule.
   * @default none
   */
  readonly schedules?: readonly ScheduledJob[];
  /**
   * A bucket that exists. Its models stay what they are. One that another stack owns must have the
   * policy that protects the journal ([SECURITY.md]), and so must one that a stack left which is
   * gone: its policy names a role that is gone, too. A warning says so. One that a key encrypts is
   * imported with it (`Bucket.fromBucketAttributes`).
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
   * Memory of each function that trains or predicts, from 256 MiB; one vCPU comes with 1,769 MiB.
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
   * Settings of all functions beside those that the construct has: a VPC, tracing, environment.
   * @default none
   */
  readonly functionProps?: FunctionOptions;
  /**
   * Slices of batch jobs that run at once, from 2 to 1,000; the others wait in their queue. So a
   * thousand jobs of one night leave concurrency to the models that learn.
   * @default 100, and never more than one for each model
   */
  readonly jobConcurrency?: number;
  /**
   * How datasets are prepared that are larger than eight parts.
   * @default 50 parts of 128 MiB at once
   */
  readonly preparation?: PreparationProps;
  /**
   * Told when an alarm rings, and when it is over.
   * @default nobody
   */
  readonly alarmTopic?: ITopic;
  /**
   * Whether the function that predicts has a URL. Some regions have none: there, say false, and
   * invoke it.
   * @default true
   */
  readonly predictUrl?: boolean;
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
  /** Its URL, if it has one; requests are signed (AWS IAM). */
  readonly predictUrl: FunctionUrl | undefined;
  /** Prepares the parts of large datasets side by side, and then sends the job's next slice. */
  readonly partsMachine: StateMachine;
  /** Folds a long journal again side by side: `millrace verify --side-by-side`. */
  readonly verifyMachine: StateMachine;
  /** Trains by several specs side by side: `millrace sweep`. */
  readonly sweepMachine: StateMachine;
  /** Everything that a person must look at. */
  readonly alarms: readonly Alarm[];
  readonly #queues: Readonly<Record<'Samples' | 'Jobs' | 'Commands', QueueWithDeadLetters>>;
  readonly #logGroups: readonly ILogGroup[];

  constructor(scope: Construct, id: string, props: MillraceProps = {}) {
    super(scope, id);
    checkProps(props);
    const { encryptionKey, schedules = [], architecture = Architecture.ARM_64 } = props;
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
    const functions = createFunctions(this, {
      bucket: this.bucket,
      samplesQueue: this.samplesQueue,
      jobsQueue: this.jobsQueue,
      commandsQueue: this.commandsQueue,
      shared: {
        code: functionsCode(this, architecture),
        architecture,
        logRetention: props.logRetention ?? RetentionDays.ONE_MONTH,
        options: props.functionProps ?? {},
      },
      memoryMebibytes:
        props.memory?.toMebibytes({ rounding: SizeRoundingBehavior.FLOOR }) ??
        limits.functionMemoryMebibytes,
      preparation: props.preparation ?? {},
      jobConcurrency: props.jobConcurrency,
    });
    const { onlineUpdate, batchTrain, relayCommand, preparePart } = functions;
    const { verifyStretch, runTrial, sendDefaults } = functions;
    this.partsMachine = functions.partsMachine;
    this.verifyMachine = functions.verifyMachine;
    this.sweepMachine = functions.sweepMachine;
    this.predictFunction = functions.predict;
    this.predictUrl =
      (props.predictUrl ?? true)
        ? this.predictFunction.addFunctionUrl({ authType: FunctionUrlAuthType.AWS_IAM })
        : undefined;

    const ofMachines = [preparePart, verifyStretch, runTrial];
    const own = [onlineUpdate, batchTrain, ...ofMachines, relayCommand, sendDefaults];
    this.#logGroups = [...own, this.predictFunction].map(({ logGroup }) => logGroup);
    const scheduleGroup = createSchedules(this, this.jobsQueue, schedules);
    scheduleDefaults(scheduleGroup, sendDefaults);
    this.alarms = createAlarms(this, {
      queues: this.#queues,
      functions: watchedFunctions(functions),
      partsMachine: this.partsMachine,
      scheduleGroup,
      topic: props.alarmTopic,
    });
    this.#writeOutputs([batchTrain, relayCommand]);
  }

  /** What a program needs to know to reach the stack. */
  #writeOutputs(commanders: readonly LambdaFunction[]): void {
    new CfnOutput(this, 'BucketName', { value: this.bucket.bucketName });
    new CfnOutput(this, 'SamplesQueueUrl', { value: this.samplesQueue.queueUrl });
    new CfnOutput(this, 'JobsQueueUrl', { value: this.jobsQueue.queueUrl });
    new CfnOutput(this, 'CommandsQueueUrl', { value: this.commandsQueue.queueUrl });
    new CfnOutput(this, 'PredictFunction', { value: this.predictFunction.functionName });
    if (this.predictUrl) new CfnOutput(this, 'PredictUrl', { value: this.predictUrl.url });
    new CfnOutput(this, 'CommandSenders', { value: sendersOf(...commanders) });
    new CfnOutput(this, 'PartsMachineArn', { value: this.partsMachine.stateMachineArn });
    new CfnOutput(this, 'VerifyMachineArn', { value: this.verifyMachine.stateMachineArn });
    new CfnOutput(this, 'SweepMachineArn', { value: this.sweepMachine.stateMachineArn });
    new CfnOutput(this, 'LogGroups', {
      value: this.#logGroups.map(({ logGroupName }) => logGroupName).join(','),
    });
  }

  /** Lets somebody teach: send samples and see how many messages wait, and nothing else. */
  grantProducer(grantee: IGrantable): void {
    allowToFill(grantee, this.samplesQueue);
  }

  /** Lets somebody ask for predictions, by invocation or through the URL, and nothing else. */
  grantPredict(grantee: IGrantable): void {
    grant(this, grantee, {
      actions: ['lambda:InvokeFunction', 'lambda:InvokeFunctionUrl'],
      resources: [this.predictFunction.functionArn],
    });
  }

  /**
   * Lets somebody read models: specs, states, journals, quarantine, progress; and predict with them
   * in a program of their own.
   */
  grantRead(grantee: IGrantable): void {
    allow(grantee, this.bucket, { read: ['models/*', 'initial-weights/*', 'compiled/*'] });
  }

  /**
   * Lets somebody declare models, change their specs, start jobs, put datasets, verify, try specs,
   * roll back, retract, send again what was refused or died, and read the functions' logs. It
   * cannot change what was learnt before.
   */
  grantOperator(somebody: IGrantable): void {
    const grantee = withRoom(this, somebody);
    allow(grantee, this.bucket, {
      read: [
        'models/*',
        'initial-weights/*',
        'datasets/*',
        'compiled/*',
        'asked/*',
        'verified/*',
        'trials/*',
      ],
      write: operatorWrites,
    });
    allowToSend(grantee, this.samplesQueue, this.jobsQueue, this.commandsQueue);
    allowToRedrive(this, grantee, Object.values(this.#queues));
    const machines = [this.verifyMachine, this.sweepMachine];
    grant(
      this,
      grantee,
      {
        actions: ['states:StartExecution'],
        resources: machines.map(({ stateMachineArn }) => stateMachineArn),
      },
      {
        actions: ['logs:FilterLogEvents'],
        resources: this.#logGroups.map(({ logGroupArn }) => logGroupArn),
      },
      // (By its outputs `--stack` finds everything.)
      { actions: ['cloudformation:DescribeStacks'], resources: [Stack.of(this).stackId] },
    );
  }
}

/** Each function, and how long it may take. */
function watchedFunctions(functions: Functions): Watched['functions'] {
  const within = (timeoutSeconds: number, fn: LambdaFunction) => ({ function: fn, timeoutSeconds });
  return {
    OnlineUpdate: within(limits.onlineTimeoutSeconds, functions.onlineUpdate),
    BatchTrain: within(limits.batchTimeoutSeconds, functions.batchTrain),
    PreparePart: within(limits.batchTimeoutSeconds, functions.preparePart),
    VerifyStretch: within(limits.batchTimeoutSeconds, functions.verifyStretch),
    RunTrial: within(limits.batchTimeoutSeconds, functions.runTrial),
    RelayCommand: within(limits.relayTimeoutSeconds, functions.relayCommand),
    SendDefaults: within(limits.defaultsTimeoutSeconds, functions.sendDefaults),
    Predict: within(limits.predictTimeoutSeconds, functions.predict),
  };
}
