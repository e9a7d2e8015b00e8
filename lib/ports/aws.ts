import { randomUUID } from 'node:crypto';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { createEngine } from '../engine/create-engine.ts';
import { limits } from '../limits.ts';
import type { StackAddress } from './address.ts';
import { graphCache } from './graph-cache.ts';
import type { Log, Ports } from './ports.ts';
import { s3ObjectStore } from './s3.ts';
import { sqsSender } from './sqs.ts';

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

/** {@link awsPorts} of somebody who may only read. */
export function readerPorts(address: StackAddress, log: Log, threads = 1): Ports {
  return readingOnly(awsPorts(address, log, threads), threads);
}

/** Ports that keep in memory what they compile. */
export function readingOnly(ports: Ports, threads: number): Ports {
  const { store, log } = ports;
  const cache = { ...graphCache(store, log), put: async () => undefined };
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
    turn: () => nextTurn(),
    nonce: randomUUID,
    engine: createEngine({ threads, cache: graphCache(store, log), warn: log.warn.bind(log) }),
    log,
    limits,
  };
}
