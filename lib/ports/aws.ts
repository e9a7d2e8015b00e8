import { randomUUID } from 'node:crypto';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { tfjsEngine } from '../engine/tfjs.ts';
import { MillraceError } from '../errors.ts';
import type { Log, Ports } from './ports.ts';
import { s3ObjectStore } from './s3.ts';
import { sqsSender } from './sqs.ts';

/** The names of the environment variables that the template sets and the functions read. */
export const environmentNames = {
  bucket: 'MILLRACE_BUCKET',
  samplesQueueUrl: 'MILLRACE_SAMPLES_QUEUE_URL',
  jobsQueueUrl: 'MILLRACE_JOBS_QUEUE_URL',
} as const;

/** Where a deployed stack lives. */
export type StackAddress = {
  readonly bucket: string;
  readonly samplesQueueUrl: string;
  readonly jobsQueueUrl: string;
};

/** The stack's address from a process' environment. @throws MillraceError kind `invalid` if a variable is missing */
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
  };
}

/** The inverse of {@link addressFromEnvironment}. */
export function environmentOf(address: StackAddress): Record<string, string> {
  return {
    [environmentNames.bucket]: address.bucket,
    [environmentNames.samplesQueueUrl]: address.samplesQueueUrl,
    [environmentNames.jobsQueueUrl]: address.jobsQueueUrl,
  };
}

/**
 * The ports over AWS: S3 and SQS through the SDK (which reads region, credentials and endpoints from the
 * environment), the machine's clock and randomness, and the engine.
 */
export function awsPorts(address: StackAddress, log: Log): Ports {
  const sqs = new SQSClient({});
  return {
    store: s3ObjectStore(new S3Client({}), address.bucket),
    sendSamples: sqsSender(sqs, address.samplesQueueUrl),
    sendJob: sqsSender(sqs, address.jobsQueueUrl),
    now: Date.now,
    nonce: randomUUID,
    engine: tfjsEngine,
    log,
  };
}
