import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { SQSHandler } from 'aws-lambda';
import { settleJob } from '../lib/jobs/settle-job.ts';
import { limits } from '../lib/limits.ts';
import { addressFromEnvironment, threadsFromEnvironment } from '../lib/ports/address.ts';
import { awsPorts, clientSettings } from '../lib/ports/aws.ts';
import { withParts } from '../lib/ports/machines.ts';
import { pauseSeconds } from '../lib/ports/redelivery.ts';
import { sqsVisibility } from '../lib/ports/sqs.ts';

const logger = new Logger();
const metrics = new Metrics();
const address = addressFromEnvironment(process.env);
const aws = awsPorts(address, logger, threadsFromEnvironment(process.env));
const ports = withParts(aws, process.env);
const setVisibility = sqsVisibility(new SQSClient(clientSettings), address.jobsQueueUrl, logger);

/**
 * jobs.fifo → one slice of a batch job. A slice that fails is run again after some seconds; one
 * that is killed, once its time would have been over.
 */
export const handler: SQSHandler = async (event, context) => {
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  for (const { messageId: id, body, receiptHandle: receipt, attributes } of event.Records) {
    const started = ports.now();
    const killed = secondsLeft() + limits.visibilityReserveSeconds;
    await setVisibility([{ receipt, seconds: killed }]);
    try {
      const settled = await settleJob(ports, { id, body }, secondsLeft);
      const milliseconds = ports.now() - started;
      if (!settled.ok || settled.place.status === 'failed')
        metrics.addMetric('JobsFailed', MetricUnit.Count, 1);
      if (settled.ok) {
        const { model, job, place, rows, refusedRows, unknown } = settled;
        logger.info('slice done', {
          model,
          job,
          slice: place.slice,
          status: place.status,
          reason: place.reason,
          epoch: place.epoch,
          loss: place.epochLosses.at(-1),
          heldOutLoss: place.heldOutLosses.at(-1),
          comparison: place.comparison,
          rows,
          refusedRows,
          unknown,
          milliseconds,
        });
      }
      metrics.addMetric('SliceDuration', MetricUnit.Milliseconds, milliseconds);
      metrics.publishStoredMetrics();
    } catch (error) {
      const receives = Number(attributes.ApproximateReceiveCount);
      const seconds = pauseSeconds(receives, limits.longestJobPauseSeconds);
      await setVisibility([{ receipt, seconds }]);
      throw error;
    }
  }
};
