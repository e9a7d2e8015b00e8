import { formatTable } from '../../lib/cli/progress.ts';
import { limits } from '../../lib/limits.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import { createWorld, message, ticket } from '../support/world.ts';

/**
 * `npm run costs`: what a million samples cost on AWS, by the samples of a message. The requests are
 * counted: a warm function settles messages one after the other, each in a delivery of its own.
 */

/** Dollars, list prices of us-east-1 as they were known in November 2026. */
const prices = {
  put: 5e-6,
  get: 4e-7,
  /** A request to a FIFO queue: each message is sent, received and deleted. */
  queue: 5e-7,
  invocation: 2e-7,
  /** On arm64. */
  gibibyteSecond: 1.33334e-5,
  loggedByte: 5e-10,
} as const;

/** Assumed: how long an invocation lasts, nearly all of it waiting for S3. */
const invocationSeconds = 0.09;
/** Assumed: its log line, its metrics, and Lambda's own three lines. */
const loggedBytes = 1_400;
const gibibytes = limits.functionMemoryMebibytes / 1_024;
const deliveries = 50;

/** The S3 requests of a delivery, the mean of some. */
async function requestsOfDelivery(samplesPerMessage: number) {
  const world = createWorld();
  const cache: ModelCache = new Map();
  const counts = { get: 0, put: 0, list: 0 };
  const settle = (seq: number) => {
    const samples = Array.from({ length: samplesPerMessage }, (_, i) => ticket(seq * 100 + i));
    const body = JSON.stringify({ producer: 'till', seq, samples });
    return settleDelivery(world, cache, [message(seq, body)], () => 100);
  };
  // The first is a cold start.
  await settle(1);
  world.store.hook = ({ operation, when }) => {
    if (when === 'before') counts[operation] += 1;
  };
  for (let seq = 2; seq < deliveries + 2; seq++) await settle(seq);
  return { gets: counts.get / deliveries, puts: (counts.put + counts.list) / deliveries };
}

const rows = [];
for (const size of [1, 10, 100, 500]) {
  const { gets, puts } = await requestsOfDelivery(size);
  const storage = gets * prices.get + puts * prices.put;
  const compute = prices.invocation + invocationSeconds * gibibytes * prices.gibibyteSecond;
  const logs = loggedBytes * prices.loggedByte;
  const perMessage = storage + 3 * prices.queue + compute + logs;
  const dollars = (perSample: number) => `$${(perSample * 1e6).toPrecision(3)}`;
  rows.push([
    String(size),
    dollars(perMessage / size),
    dollars(storage / size),
    dollars(compute / size),
    dollars((3 * prices.queue) / size),
    dollars(logs / size),
    `${puts.toFixed(2)} + ${gets.toFixed(2)}`,
  ]);
}
process.stdout.write(
  `Dollars for a million samples, a message in each delivery of ${invocationSeconds * 1_000} ms:\n\n` +
    `${formatTable([['samples a message', 'in all', 'S3', 'Lambda', 'SQS', 'logs', 'puts + gets'], ...rows])}\n`,
);
