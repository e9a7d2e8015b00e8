import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Context } from 'aws-lambda';
import { addressFromEnvironment, threadsFromEnvironment } from '../lib/ports/address.ts';
import { readerPorts } from '../lib/ports/aws.ts';
import { answerOverHttp, isHttpRequest } from '../lib/serving/http.ts';
import { createServing } from '../lib/serving/serve.ts';

const logger = new Logger();
const metrics = new Metrics();
const address = addressFromEnvironment(process.env);
const ports = readerPorts(address, logger, threadsFromEnvironment(process.env));
const serve = createServing(ports);

/**
 * Samples → predictions, of the newest state of any model. Invoked by the SDK with a
 * {@link PredictRequest}, or through its URL with one as the body.
 */
export const handler = async (event: unknown, context: Context): Promise<unknown> => {
  const started = ports.now();
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  const answerTo = async (request: unknown) => {
    const answer = await serve(request, secondsLeft);
    const count = answer.ok ? answer.predictions.length : 0;
    metrics.addMetric('SamplesPredicted', MetricUnit.Count, count);
    metrics.addMetric('PredictDuration', MetricUnit.Milliseconds, ports.now() - started);
    metrics.publishStoredMetrics();
    return answer;
  };
  return isHttpRequest(event) ? answerOverHttp(event, answerTo) : answerTo(event);
};
