import { Logger } from '@aws-lambda-powertools/logger';
import type { Handler } from 'aws-lambda';
import {
  parseStretchRequest,
  type StretchAnswer,
  verifyStretch,
} from '../lib/operations/verify-stretches.ts';
import { addressFromEnvironment, threadsFromEnvironment } from '../lib/ports/address.ts';
import { readerPorts } from '../lib/ports/aws.ts';

const log = new Logger();
const address = addressFromEnvironment(process.env);
const ports = readerPorts(address, log, threadsFromEnvironment(process.env));

/** The state machine → a stretch of a journal folded again, as far as the time allows. */
export const handler: Handler<unknown, StretchAnswer> = async (event, context) => {
  const request = parseStretchRequest(event);
  const started = ports.now();
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const answer = await verifyStretch(ports, request, secondsLeft);
  log.info('stretch folded', { ...request, ...answer, milliseconds: ports.now() - started });
  return answer;
};
