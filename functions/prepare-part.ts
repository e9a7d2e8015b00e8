import { Logger } from '@aws-lambda-powertools/logger';
import type { Handler } from 'aws-lambda';
import { type PartOutcome, parsePartRequest, runPart } from '../lib/jobs/run-part.ts';
import { addressFromEnvironment, threadsFromEnvironment } from '../lib/ports/address.ts';
import { awsPorts } from '../lib/ports/aws.ts';

const logger = new Logger();
const address = addressFromEnvironment(process.env);
const ports = awsPorts(address, logger, threadsFromEnvironment(process.env));

/** The state machine → one part of a large dataset, as far as the time allows. */
export const handler: Handler<unknown, PartOutcome> = async (event, context) => {
  const request = parsePartRequest(event);
  const started = ports.now();
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const outcome = await runPart(ports, request, secondsLeft);
  const { model, job, part } = request;
  const milliseconds = ports.now() - started;
  logger.info('part done', { model, job, part: part.part, ...outcome, milliseconds });
  return outcome;
};
