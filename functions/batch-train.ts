import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { SQSHandler } from 'aws-lambda';
import { parseJobMessage } from '../lib/jobs/job-message.ts';
import { runSlice } from '../lib/jobs/slice.ts';
import { addressFromEnvironment, awsPorts, threadsFromEnvironment } from '../lib/ports/aws.ts';

const logger = new Logger();
const metrics = new Metrics();
const ports = awsPorts(
  addressFromEnvironment(process.env),
  logger,
  threadsFromEnvironment(process.env),
);

/**
 * jobs.fifo → one slice of a batch job. A message whose slice fails goes back to the queue, and at
 * last to the dead-letter queue.
 */
export const handler: SQSHandler = async (event, context) => {
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  for (const record of event.Records) {
    const started = ports.now();
    const message = parseJobMessage(record.body, record.messageId);
    const { place, rows, refusedRows } = await runSlice(ports, message, secondsLeft);
    const milliseconds = ports.now() - started;
    logger.info('slice done', {
      model: message.model,
      job: message.job,
      slice: message.slice,
      status: place.status,
      reason: place.reason,
      epoch: place.epoch,
      loss: place.epochLosses.at(-1),
      heldOutLoss: place.heldOutLosses.at(-1),
      comparison: place.comparison,
      rows,
      refusedRows,
      milliseconds,
    });
    metrics.addMetric('SliceDuration', MetricUnit.Milliseconds, milliseconds);
    metrics.publishStoredMetrics();
  }
};
