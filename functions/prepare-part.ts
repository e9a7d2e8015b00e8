import { Logger } from '@aws-lambda-powertools/logger';
import { S3Client } from '@aws-sdk/client-s3';
import type { Handler } from 'aws-lambda';
import { type PartOutcome, parsePartRequest, runPart } from '../lib/jobs/run-part.ts';
import { addressFromEnvironment } from '../lib/ports/address.ts';
import { clientSettings } from '../lib/ports/aws.ts';
import { s3ObjectStore } from '../lib/ports/s3.ts';

const log = new Logger();
const { bucket } = addressFromEnvironment(process.env);
const ports = { store: s3ObjectStore(new S3Client(clientSettings), bucket), log, now: Date.now };

/** The state machine → one part of a large dataset, as far as the time allows. */
export const handler: Handler<unknown, PartOutcome> = async (event, context) => {
  const request = parsePartRequest(event);
  const started = ports.now();
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const outcome = await runPart(ports, request, secondsLeft);
  const { model, job, part } = request;
  const milliseconds = ports.now() - started;
  log.info('part done', { model, job, part: part.part, ...outcome, milliseconds });
  return outcome;
};
