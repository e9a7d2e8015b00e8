import { Size } from 'aws-cdk-lib';
import { type Function as LambdaFunction, RecursiveLoop, Tracing } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { limits } from '../lib/limits.ts';
import { environmentNames, environmentOf } from '../lib/ports/address.ts';
import { type Access, allow, protectHistory } from './bucket.ts';
import { createPartsMachine } from './parts-machine.ts';
import { allowToSend } from './queues.ts';
import { createRunMachine } from './run-machine.ts';
import { sendersOf } from './senders.ts';
import { createFunction, type SharedSettings } from './training-function.ts';

/** How a dataset is prepared that is larger than eight parts. */
export interface PreparationProps {
  /**
   * Parts of a dataset that are prepared at once, each by an invocation, from 1 to 10,000; and as
   * many stretches of a journal that are verified, and specs that are tried.
   * @default 50
   */
  readonly maxConcurrency?: number;
  /** From 1 MiB to 1 GiB. @default 128 MiB */
  readonly partSize?: Size;
}

/** A tenth of what an account usually has: the jobs of a night leave the rest to the streams. */
const usualJobConcurrency = 100;

/** What the functions work on, and how. */
export type Surroundings = {
  readonly bucket: IBucket;
  readonly samplesQueue: Queue;
  readonly jobsQueue: Queue;
  readonly commandsQueue: Queue;
  readonly shared: SharedSettings;
  /** Of each function that trains or predicts. */
  readonly memoryMebibytes: number;
  readonly preparation: PreparationProps;
  /** Slices of jobs that run at once; {@link usualJobConcurrency} unless given. */
  readonly jobConcurrency?: number | undefined;
};

/** The functions of a stack, and the state machines that invoke some of them. */
export type Functions = Readonly<
  Record<
    | 'onlineUpdate'
    | 'batchTrain'
    | 'preparePart'
    | 'verifyStretch'
    | 'runTrial'
    | 'relayCommand'
    | 'sendDefaults'
    | 'predict',
    LambdaFunction
  >
> &
  Readonly<Record<'partsMachine' | 'verifyMachine' | 'sweepMachine', StateMachine>>;

/** Creates the functions, each with the rights that it needs and no others. */
export function createFunctions(scope: Construct, surroundings: Surroundings): Functions {
  const { bucket, jobsQueue, shared, preparation } = surroundings;
  const preparePart = createPreparePart(scope, surroundings);
  const verifyStretch = createVerifyStretch(scope, surroundings);
  const ofMachines = {
    bucket,
    maxConcurrency: preparation.maxConcurrency ?? limits.partsAtOnce,
    logRetention: shared.logRetention,
    isTraced: shared.options.tracing === Tracing.ACTIVE,
  };
  const partsMachine = createPartsMachine(scope, { ...ofMachines, jobsQueue, preparePart });
  const verifyMachine = createRunMachine(
    scope,
    { name: 'Verify', item: 'stretch', worker: verifyStretch, plans: 'verified/*/plan.json' },
    ofMachines,
  );
  const runTrial = createRunTrial(scope, surroundings);
  const sweepMachine = createRunMachine(
    scope,
    { name: 'Sweep', item: 'trial', worker: runTrial, plans: 'trials/*/plan.json' },
    ofMachines,
  );
  const batchTrain = createBatchTrain(scope, surroundings, partsMachine);
  const relayCommand = createRelay(scope, surroundings);
  const onlineUpdate = createOnlineUpdate(scope, surroundings, [batchTrain, relayCommand]);
  const sendDefaults = createSendDefaults(scope, surroundings);
  const predict = createPredict(scope, surroundings);
  return {
    onlineUpdate,
    batchTrain,
    preparePart,
    verifyStretch,
    runTrial,
    relayCommand,
    sendDefaults,
    predict,
    partsMachine,
    verifyMachine,
    sweepMachine,
  };
}

/** What the functions know of the stack. */
function environment(surroundings: Surroundings): Record<string, string> {
  const { bucket, samplesQueue, jobsQueue, commandsQueue } = surroundings;
  return environmentOf({
    bucket: bucket.bucketName,
    samplesQueueUrl: samplesQueue.queueUrl,
    jobsQueueUrl: jobsQueue.queueUrl,
    commandsQueueUrl: commandsQueue.queueUrl,
  });
}

function createOnlineUpdate(
  scope: Construct,
  surroundings: Surroundings,
  commanders: readonly LambdaFunction[],
): LambdaFunction {
  const { bucket, samplesQueue, jobsQueue, shared, memoryMebibytes } = surroundings;
  const onlineUpdate = createFunction(scope, 'online-update', shared, {
    timeoutSeconds: limits.onlineTimeoutSeconds,
    memoryMebibytes,
    environment: {
      ...environment(surroundings),
      [environmentNames.commandSenders]: sendersOf(...commanders),
    },
  });
  onlineUpdate.addEventSource(
    new SqsEventSource(samplesQueue, {
      batchSize: limits.deliveryMessages,
      reportBatchItemFailures: true,
    }),
  );
  allow(onlineUpdate, bucket, {
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
  allowToSend(onlineUpdate, jobsQueue);
  if (onlineUpdate.role !== undefined) protectHistory(scope, bucket, onlineUpdate.role);
  return onlineUpdate;
}

/**
 * Shards are read into arrays of some tens of MiB, one behind the other, whose memory glibc would
 * give back and take anew; memory that was never touched costs more than what is written there.
 */
const keptMemory = {
  MALLOC_MMAP_THRESHOLD_: String(Size.mebibytes(128).toBytes()),
  MALLOC_TRIM_THRESHOLD_: String(Size.mebibytes(256).toBytes()),
};

function createBatchTrain(
  scope: Construct,
  surroundings: Surroundings,
  partsMachine: StateMachine,
): LambdaFunction {
  const { bucket, samplesQueue, jobsQueue, shared, memoryMebibytes } = surroundings;
  const batchTrain = createFunction(scope, 'batch-train', shared, {
    timeoutSeconds: limits.batchTimeoutSeconds,
    memoryMebibytes,
    environment: {
      ...environment(surroundings),
      ...partsEnvironment(surroundings),
      [environmentNames.partsMachine]: partsMachine.stateMachineArn,
      ...keptMemory,
    },
    // A job continues itself through its queue; limits.slicesPerJob bounds it instead of Lambda's
    // guard.
    recursiveLoop: RecursiveLoop.ALLOW,
  });
  const { jobConcurrency: maxConcurrency = usualJobConcurrency } = surroundings;
  batchTrain.addEventSource(
    new SqsEventSource(jobsQueue, {
      batchSize: 1,
      maxConcurrency,
    }),
  );
  allow(batchTrain, bucket, {
    read: ['models/*', 'initial-weights/*', 'datasets/*', 'prepared/*', 'compiled/*'],
    write: ['models/*/jobs/*', 'models/*/quarantine/*', 'prepared/*', 'compiled/*'],
  });
  allowToSend(batchTrain, samplesQueue, jobsQueue);
  partsMachine.grantStartExecution(batchTrain);
  return batchTrain;
}

function createPreparePart(scope: Construct, surroundings: Surroundings): LambdaFunction {
  return createOverBucket(scope, surroundings, {
    name: 'prepare-part',
    timeoutSeconds: limits.batchTimeoutSeconds,
    read: ['models/*', 'datasets/*', 'prepared/*'],
    write: ['prepared/*'],
  });
}

function createVerifyStretch(scope: Construct, surroundings: Surroundings): LambdaFunction {
  return createOverBucket(scope, surroundings, {
    name: 'verify-stretch',
    timeoutSeconds: limits.batchTimeoutSeconds,
    read: ['models/*', 'initial-weights/*', 'compiled/*', 'verified/*'],
    write: ['verified/*'],
  });
}

/** What a job writes of a model lies in the trial's own folder. */
function createRunTrial(scope: Construct, surroundings: Surroundings): LambdaFunction {
  const beside = ['prepared/*', 'compiled/*', 'trials/*'];
  return createOverBucket(scope, surroundings, {
    name: 'run-trial',
    timeoutSeconds: limits.batchTimeoutSeconds,
    read: ['initial-weights/*', 'datasets/*', ...beside],
    write: beside,
    // (What a job has prepared is found, and the other way round.)
    variables: partsEnvironment(surroundings),
  });
}

/** How large the parts of a dataset are: what is prepared is known by that. */
function partsEnvironment({ preparation }: Surroundings): Record<string, string> {
  const partSize = preparation.partSize ?? Size.bytes(limits.partBytes);
  return { [environmentNames.partBytes]: String(partSize.toBytes()) };
}

function createPredict(scope: Construct, surroundings: Surroundings): LambdaFunction {
  return createOverBucket(scope, surroundings, {
    name: 'predict',
    timeoutSeconds: limits.predictTimeoutSeconds,
    read: ['models/*', 'initial-weights/*', 'compiled/*', 'asked/*'],
    write: ['asked/*', 'due/*'],
  });
}

/** A function that somebody invokes, and that needs the bucket alone. */
function createOverBucket(
  scope: Construct,
  surroundings: Surroundings,
  {
    name,
    timeoutSeconds,
    variables = {},
    ...access
  }: Access & {
    readonly name: string;
    readonly timeoutSeconds: number;
    readonly variables?: Readonly<Record<string, string>>;
  },
): LambdaFunction {
  const { bucket, shared, memoryMebibytes } = surroundings;
  const known = { ...environment(surroundings), ...variables };
  const own = { timeoutSeconds, memoryMebibytes, environment: known };
  const created = createFunction(scope, name, shared, own);
  allow(created, bucket, access);
  return created;
}

function createRelay(scope: Construct, surroundings: Surroundings): LambdaFunction {
  const { samplesQueue, commandsQueue, shared } = surroundings;
  const relay = createFunction(scope, 'relay-command', shared, {
    timeoutSeconds: limits.relayTimeoutSeconds,
    memoryMebibytes: limits.relayMemoryMebibytes,
    environment: environment(surroundings),
  });
  relay.addEventSource(new SqsEventSource(commandsQueue, { batchSize: 1 }));
  allowToSend(relay, samplesQueue);
  return relay;
}

/** Sends labels that nobody sent in time; nothing but that is its to remove. */
function createSendDefaults(scope: Construct, surroundings: Surroundings): LambdaFunction {
  const { bucket, samplesQueue, shared } = surroundings;
  const sendDefaults = createFunction(scope, 'send-defaults', shared, {
    timeoutSeconds: limits.defaultsTimeoutSeconds,
    memoryMebibytes: limits.defaultsMemoryMebibytes,
    environment: environment(surroundings),
  });
  const read = ['models/*/spec.json', 'models/*/journal/*', 'asked/*', 'due/*'];
  allow(sendDefaults, bucket, { read, remove: ['due/*'] });
  allowToSend(sendDefaults, samplesQueue);
  return sendDefaults;
}
