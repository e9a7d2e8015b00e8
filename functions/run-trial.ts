import { Logger } from '@aws-lambda-powertools/logger';
import type { Handler } from 'aws-lambda';
import { parseTrialRequest, runTrial } from '../lib/operations/sweep.ts';
import { addressFromEnvironment, threadsFromEnvironment } from '../lib/ports/address.ts';
import { awsPorts } from '../lib/ports/aws.ts';
import { withParts } from '../lib/ports/machines.ts';

const log = new Logger();
const address = addressFromEnvironment(process.env);
const aws = awsPorts(address, log, threadsFromEnvironment(process.env));
const ports = withParts(aws, process.env);

/** The state machine → a batch job by one of several specs, as far as the time allows. */
export const handler: Handler<unknown, { isDone: boolean }> = async (event, context) => {
  const request = parseTrialRequest(event);
  const started = ports.now();
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const answer = await runTrial(ports, request, secondsLeft);
  log.info('trial trained', { ...request, ...answer, milliseconds: ports.now() - started });
  return answer;
};
