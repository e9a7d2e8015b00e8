import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { SQSHandler } from 'aws-lambda';
import { isOfKind } from '../lib/errors.ts';
import { messageOf } from '../lib/online/messages.ts';
import { type ModelCache, settleDelivery } from '../lib/online/settle-delivery.ts';
import {
  addressFromEnvironment,
  isCommandSender,
  threadsFromEnvironment,
} from '../lib/ports/address.ts';
import { awsPorts, clientSettings } from '../lib/ports/aws.ts';
import { sqsVisibility } from '../lib/ports/sqs.ts';

const logger = new Logger();
const metrics = new Metrics();
const address = addressFromEnvironment(process.env);
const ports = awsPorts(address, logger, threadsFromEnvironment(process.env));
const setVisibility = sqsVisibility(new SQSClient(clientSettings), address.samplesQueueUrl, logger);
const mayCommand = isCommandSender(process.env);
const cache: ModelCache = new Map();

/** The same counts once more, by model. */
function countFor(model: string, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    if (count === 0) continue;
    const own = metrics.singleMetric();
    own.addDimension('model', model);
    own.addMetric(name, MetricUnit.Count, count);
  }
}

/** samples.fifo → journal → weights: settles the delivered messages of each model, in order. */
export const handler: SQSHandler = async (event, context) => {
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const outcomes = await settleDelivery(
    ports,
    cache,
    event.Records.map((record) => messageOf(record, mayCommand)),
    secondsLeft,
  );
  for (const { model, samples, refused, milliseconds, error, ...found } of outcomes) {
    const rare = {
      StreamChanges: found.changes,
      UnknownValues: found.unknown,
      ForgottenValues: found.forgotten,
    };
    countFor(model, { SamplesLearnt: samples, SamplesRefused: refused, ...rare });
    metrics.addMetric('SamplesLearnt', MetricUnit.Count, samples);
    metrics.addMetric('SamplesRefused', MetricUnit.Count, refused);
    for (const [name, count] of Object.entries(rare))
      if (count > 0) metrics.addMetric(name, MetricUnit.Count, count);
    metrics.addMetric('UpdateDuration', MetricUnit.Milliseconds, milliseconds);
    if (isOfKind(error, 'corrupt')) metrics.addMetric('ModelsStopped', MetricUnit.Count, 1);
  }
  metrics.publishStoredMetrics();
  const unsettled = outcomes.flatMap(({ unsettled: messages, pauseSeconds: seconds }) =>
    messages.map(({ id }) => ({ id, seconds })),
  );
  const receipts = new Map(event.Records.map((each) => [each.messageId, each.receiptHandle]));
  await setVisibility(
    unsettled.map(({ id, seconds }) => ({ receipt: receipts.get(id) ?? '', seconds })),
  );
  return { batchItemFailures: unsettled.map(({ id }) => ({ itemIdentifier: id })) };
};
