import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createEngine } from '../engine/create-engine.ts';
import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import { graphCache } from './graph-cache.ts';
import type { Log, Ports } from './ports.ts';
import { s3ObjectStore } from './s3.ts';
import { sqsSender } from './sqs.ts';

/** The names of the environment variables that the template sets and the functions read. */
export const environmentNames = {
  bucket: 'MILLRACE_BUCKET',
  samplesQueueUrl: 'MILLRACE_SAMPLES_QUEUE_URL',
  jobsQueueUrl: 'MILLRACE_JOBS_QUEUE_URL',
  commandsQueueUrl: 'MILLRACE_COMMANDS_QUEUE_URL',
  commandSenders: 'MILLRACE_COMMAND_SENDERS',
  predictFunction: 'MILLRACE_PREDICT_FUNCTION',
  predictUrl: 'MILLRACE_PREDICT_URL',
  threads: 'MILLRACE_THREADS',
} as const;

/** Where a deployed stack lives. */
export type StackAddress = {
  readonly bucket: string;
  readonly samplesQueueUrl: string;
  readonly jobsQueueUrl: string;
  readonly commandsQueueUrl: string;
};

/**
 * The stack's address from a process' environment. @throws MillraceError kind `invalid` if a
 * variable is missing
 */
export function addressFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): StackAddress {
  const read = (name: string) => {
    const value = environment[name];
    if (value === undefined || value === '')
      throw new MillraceError('invalid', `environment: ${name} is not set`);
    return value;
  };
  return {
    bucket: read(environmentNames.bucket),
    samplesQueueUrl: read(environmentNames.samplesQueueUrl),
    jobsQueueUrl: read(environmentNames.jobsQueueUrl),
    commandsQueueUrl: read(environmentNames.commandsQueueUrl),
  };
}

/** How many threads the engine of a function has: one for each of its processors. */
export function threadsFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): number {
  const threads = Number(environment[environmentNames.threads] ?? 1);
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new MillraceError(
    'invalid',
    `environment: ${environmentNames.threads} must be a whole number of at least 1`,
  );
}

/**
 * Who may put commands into the samples queue: the unique ids of the stack's own roles, as SQS
 * names a sender (`<role id>:<session>`).
 */
export function isCommandSender(
  environment: Readonly<Record<string, string | undefined>>,
): (senderId: string | undefined) => boolean {
  const roles = new Set((environment[environmentNames.commandSenders] ?? '').split(','));
  return (senderId = '') => senderId !== '' && roles.has(senderId.split(':')[0] ?? '');
}

/** The inverse of {@link addressFromEnvironment}. */
export function environmentOf(address: StackAddress): Record<string, string> {
  return {
    [environmentNames.bucket]: address.bucket,
    [environmentNames.samplesQueueUrl]: address.samplesQueueUrl,
    [environmentNames.jobsQueueUrl]: address.jobsQueueUrl,
    [environmentNames.commandsQueueUrl]: address.commandsQueueUrl,
  };
}

/**
 * The ports over AWS: S3 and SQS through the SDK (which reads region, credentials and endpoints
 * from the environment), the machine's clock and randomness, and the engine.
 *
 * @param threads of the engine; one for each processor of the machine that it may use
 */
export function awsPorts(address: StackAddress, log: Log, threads = 1): Ports {
  return portsOver(
    { s3: new S3Client(clientSettings), sqs: new SQSClient(clientSettings) },
    address,
    log,
    threads,
  );
}

/** The ports of somebody who may only read; what was not compiled before is kept in memory. */
export function readerPorts(address: StackAddress, log: Log, threads = 1): Ports {
  const ports = awsPorts(address, log, threads);
  const cache = { ...graphCache(ports.store, log), put: async () => undefined };
  return { ...ports, engine: createEngine({ threads, cache, warn: log.warn.bind(log) }) };
}

/** The first pause before something is tried again; the next are twice as long each. */
const pauseMilliseconds = 50;

/**
 * Every call ends: without bounds of its own, the SDK would wait for ever for a host that is gone.
 * A part of 8 MiB, the largest body that goes up at once, takes seconds even on a slow line.
 */
export const clientSettings = {
  requestHandler: {
    connectionTimeout: 3_000,
    requestTimeout: 60_000,
    socketTimeout: 60_000,
    throwOnRequestTimeout: true,
  },
} as const;

/** The ports over clients of S3 and SQS, wherever they lead; see {@link awsPorts}. */
export function portsOver(
  { s3, sqs }: { readonly s3: S3Client; readonly sqs: SQSClient },
  address: StackAddress,
  log: Log,
  threads: number,
): Ports {
  const store = s3ObjectStore(s3, address.bucket);
  return {
    store,
    sendSamples: sqsSender(sqs, address.samplesQueueUrl),
    sendJob: sqsSender(sqs, address.jobsQueueUrl),
    sendCommand: sqsSender(sqs, address.commandsQueueUrl),
    pause: (attempt) => delay(pauseMilliseconds * 2 ** (attempt - 1) * (0.5 + Math.random())),
    now: Date.now,
    nonce: randomUUID,
    engine: createEngine({ threads, cache: graphCache(store, log), warn: log.warn.bind(log) }),
    log,
    limits,
  };
}
