import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { SQSHandler } from 'aws-lambda';
import { isOfKind } from '../lib/errors.ts';
import { messageOf } from '../lib/online/messages.ts';
import { type ModelCache, settleDelivery } from '../lib/online/settle-delivery.ts';
import { addressFromEnvironment, awsPorts, threadsFromEnvironment } from '../lib/ports/aws.ts';

const logger = new Logger();
const metrics = new Metrics();
const ports = awsPorts(
  addressFromEnvironment(process.env),
  logger,
  threadsFromEnvironment(process.env),
);
const cache: ModelCache = new Map();

/** samples.fifo → journal → weights: settles the delivered messages of each model, in order. */
export const handler: SQSHandler = async (event, context) => {
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const outcomes = await settleDelivery(ports, cache, event.Records.map(messageOf), secondsLeft);
  for (const { samples, refused, milliseconds, error } of outcomes) {
    metrics.addMetric('SamplesLearnt', MetricUnit.Count, samples);
    metrics.addMetric('SamplesRefused', MetricUnit.Count, refused);
    metrics.addMetric('UpdateDuration', MetricUnit.Milliseconds, milliseconds);
    if (isOfKind(error, 'corrupt')) metrics.addMetric('ModelsStopped', MetricUnit.Count, 1);
  }
  metrics.publishStoredMetrics();
  const unsettled = outcomes.flatMap((outcome) => outcome.unsettled);
  return { batchItemFailures: unsettled.map(({ id }) => ({ itemIdentifier: id })) };
};
