import { readFlights, toSample } from '../../lib/examples/flights/data.ts';
import { flightsSpec } from '../../lib/examples/flights/spec.ts';
import type { Sample } from '../../lib/features/encoder.ts';
import { settleDelivery } from '../../lib/online/settle-delivery.ts';
import { createServing } from '../../lib/serving/serve.ts';
import { createWorld, message } from '../support/world.ts';

/** Of requests of one size, in milliseconds. */
export type PredictionTimes = {
  readonly samples: number;
  readonly p50: number;
  readonly p99: number;
  /** Of one instance on one core that answers such requests one after another. */
  readonly samplesPerSecond: number;
};

const sizes = [1, 100, 1_000];
const requests = 300;

/**
 * What an instance of the predict function needs itself for a request, from the parsed event to the
 * answer's JSON, once it is warm: the flights network after some hundred flights.
 */
export async function measurePredictions(): Promise<readonly PredictionTimes[]> {
  const world = { ...createWorld(flightsSpec), now: Date.now };
  const { value: chunk } = await readFlights(1, 1).next();
  const flights: Sample[] = chunk?.flights.slice(0, Math.max(...sizes)).map(toSample) ?? [];
  const learnt = { ...message(1, { samples: flights.slice(0, 500) }), group: flightsSpec.model };
  await settleDelivery(world, new Map(), [learnt], () => 100);
  const serve = createServing(world);
  const times: PredictionTimes[] = [];
  for (const size of sizes) {
    const samples = flights.slice(0, size).map(({ features }) => ({ features }));
    const milliseconds: number[] = [];
    for (let i = 0; i < 2 * requests; i++) {
      const started = performance.now();
      const answer = await serve({ model: flightsSpec.model, samples }, () => 100);
      JSON.stringify(answer);
      milliseconds.push(performance.now() - started);
      if (!answer.ok) throw new Error(answer.reason);
    }
    const sorted = milliseconds.slice(requests).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(share * sorted.length)] ?? Number.NaN;
    const sum = sorted.reduce((total, each) => total + each, 0);
    const samplesPerSecond = (1_000 * size * sorted.length) / sum;
    times.push({ samples: size, p50: at(0.5), p99: at(0.99), samplesPerSecond });
  }
  return times;
}
