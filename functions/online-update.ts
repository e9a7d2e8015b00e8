import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { SQSHandler, SQSRecord } from 'aws-lambda';
import { MillraceError } from '../lib/errors.ts';
import { addressFromEnvironment, awsPorts, threadsFromEnvironment } from '../lib/ports/aws.ts';
import { type ParsedMessage, parseMessage } from '../lib/training/messages.ts';
import { type CachedModel, updateModel } from '../lib/training/online-update.ts';

const logger = new Logger();
const metrics = new Metrics();
const ports = awsPorts(addressFromEnvironment(process.env), logger, threadsFromEnvironment(process.env));
/** Models as the last invocation left them; each invocation checks them against the journal. */
const cache = new Map<string, CachedModel>();
const cachedModels = 8;

/** samples.fifo → journal → weights: settles the delivered messages of each model, in order. */
export const handler: SQSHandler = async (event, context) => {
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const unsettled = await Promise.all(
    [...groupByModel(event.Records)].map(([model, messages]) => settleMessages(model, messages, secondsLeft)),
  );
  metrics.publishStoredMetrics();
  return { batchItemFailures: unsettled.flat().map(({ message }) => ({ itemIdentifier: message.id })) };
};

/** Settles one model's messages; returns those that must come back. One model's failure is no other's. */
async function settleMessages(model: string, messages: ParsedMessage[], secondsLeft: () => number) {
  const started = ports.now();
  try {
    const { settled, entries, cached } = await updateModel(
      ports,
      model,
      messages,
      secondsLeft,
      cache.get(model),
    );
    if (cached !== undefined) remember(model, cached);
    const settledMessages = entries.flatMap((entry) => entry.messages);
    const samples = settledMessages.reduce((sum, message) => sum + message.samples, 0);
    const refused = settledMessages.reduce((sum, message) => sum + message.refused, 0);
    const milliseconds = ports.now() - started;
    logger.info('settled', {
      model,
      sequence: cached?.state.sequence,
      messages: settled,
      samples,
      refused,
      losses: settledMessages.map(({ loss }) => loss),
      milliseconds,
    });
    metrics.addMetric('SamplesLearnt', MetricUnit.Count, samples);
    metrics.addMetric('SamplesRefused', MetricUnit.Count, refused);
    metrics.addMetric('UpdateDuration', MetricUnit.Milliseconds, milliseconds);
    return messages.slice(settled);
  } catch (error) {
    cache.delete(model);
    const kind = error instanceof MillraceError ? error.kind : 'unexpected';
    logger.error('not settled', { model, kind, error: error instanceof Error ? error : String(error) });
    if (kind === 'corrupt') metrics.addMetric('ModelsStopped', MetricUnit.Count, 1);
    return messages;
  }
}

function groupByModel(records: readonly SQSRecord[]): Map<string, ParsedMessage[]> {
  return Map.groupBy(
    records.map((record) =>
      parseMessage({
        id: record.messageId,
        body: record.body,
        group: record.attributes.MessageGroupId ?? '',
        queue: record.eventSourceARN,
        sequenceNumber: record.attributes.SequenceNumber ?? '0',
      }),
    ),
    ({ message }) => message.group,
  );
}

function remember(model: string, cached: CachedModel): void {
  cache.delete(model);
  cache.set(model, cached);
  const [oldest] = cache.keys();
  if (cache.size > cachedModels && oldest !== undefined) cache.delete(oldest);
}
