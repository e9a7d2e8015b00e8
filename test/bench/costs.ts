import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Millrace } from '../../infra/millrace.ts';
import { formatTable } from '../../lib/cli/progress.ts';
import { dollarsPerGibibyteSecond } from '../../lib/jobs/budget.ts';
import { limits } from '../../lib/limits.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import { createWorld, message, ticket } from '../support/world.ts';

/**
 * `npm run costs`: what a million samples cost on AWS, by the samples of a message. The requests are
 * counted: a warm function settles messages one after the other, each in a delivery of its own.
 * Then what a year of such deliveries costs, its journal, and reading that once; and what a job
 * over a large dataset does.
 */

/** Dollars, list prices of us-east-1 as they were known in November 2026. */
const prices = {
  put: 5e-6,
  get: 4e-7,
  /** A request to a FIFO queue: each message is sent, received and deleted. */
  queue: 5e-7,
  invocation: 2e-7,
  /** On arm64. */
  gibibyteSecond: dollarsPerGibibyteSecond,
  loggedByte: 5e-10,
  /** A state that an execution of a standard state machine goes through. */
  transition: 2.5e-5,
  /** In S3 Standard, to which small objects stay whatever a lifecycle rule says. */
  gibibyteMonth: 0.023,
  /** A month of an alarm, for each metric that it watches. */
  alarmMetric: 0.1,
  /** A month of a metric of one's own, such as those of a model. */
  ownMetric: 0.3,
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
  const entries = [...world.store.objects].filter(([key]) => key.includes('/journal/'));
  const bytes = entries.reduce((sum, [, { body }]) => sum + body.length, 0) / entries.length;
  return { gets: counts.get / deliveries, puts: (counts.put + counts.list) / deliveries, bytes };
}

/** What a delivery costs, in dollars, and of what. */
async function costsOfDelivery(samplesPerMessage: number) {
  const { gets, puts, bytes } = await requestsOfDelivery(samplesPerMessage);
  const storage = gets * prices.get + puts * prices.put;
  const compute = prices.invocation + invocationSeconds * gibibytes * prices.gibibyteSecond;
  const logs = loggedBytes * prices.loggedByte;
  const queue = 3 * prices.queue;
  return {
    gets,
    puts,
    bytes,
    storage,
    compute,
    logs,
    queue,
    all: storage + queue + compute + logs,
  };
}

const rows = [];
for (const size of [1, 10, 100, 500]) {
  const { gets, puts, storage, compute, logs, queue, all } = await costsOfDelivery(size);
  const dollars = (each: number) => `$${((each * 1e6) / size).toPrecision(3)}`;
  rows.push([
    String(size),
    ...[all, storage, compute, queue, logs].map(dollars),
    `${puts.toFixed(2)} + ${gets.toFixed(2)}`,
  ]);
}
process.stdout.write(
  `Dollars for a million samples, a message in each delivery of ${invocationSeconds * 1_000} ms:\n\n` +
    `${formatTable([['samples a message', 'in all', 'S3', 'Lambda', 'SQS', 'logs', 'puts + gets'], ...rows])}\n\n`,
);

/** How many metrics the alarms of a stack watch. */
function watchedMetrics(): number {
  const app = new App({ context: { 'aws:cdk:bundling-stacks': [] } });
  const stack = new Stack(app, 'Costs');
  new Millrace(stack, 'Millrace');
  const alarms = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm'));
  return alarms.reduce((sum, { Properties: { Metrics = [{ MetricStat: {} }] } }) => {
    const own: readonly { readonly MetricStat?: object }[] = Metrics;
    return sum + own.filter(({ MetricStat }) => MetricStat !== undefined).length;
  }, 0);
}

const secondsOfYear = 365 * 24 * 3_600;
const { all, bytes } = await costsOfDelivery(100);
/** To join a segment is a request for each entry, two listings, and one to write it. */
const joining = prices.get + (3 * prices.put) / limits.segmentEntries;
/** To read one is a request for it, and a listing, which costs as much as a put. */
const reading = (prices.get + prices.put) / limits.segmentEntries;
const years = [1, 10, 100].map((rate) => {
  const entries = rate * secondsOfYear;
  // Entries and segments; half of a year's are there on average.
  const gibibytesAtEnd = (2 * entries * bytes) / 2 ** 30;
  const stored = (gibibytesAtEnd / 2) * 12 * prices.gibibyteMonth;
  return [
    String(rate),
    `${(entries / 1e6).toFixed(1)} M`,
    ...[entries * all, entries * joining, stored, entries * prices.get, entries * reading].map(
      (dollars) => `$${Number(dollars.toPrecision(3)).toLocaleString('en')}`,
    ),
    gibibytesAtEnd.toFixed(0),
  ];
});
const heads = ['deliveries a second', 'entries', 'deliveries', 'joining', 'storage'];
process.stdout.write(
  `Dollars for a year of deliveries of 100 samples (${Math.round(bytes)} bytes an entry), and for ` +
    'reading its journal once, entry by entry and by segments:\n\n' +
    `${formatTable([[...heads, 'by entries', 'by segments', 'GiB at its end'], ...years])}\n`,
);

/** What is due is looked for again and again; assumed: in a tenth of a second where nothing is. */
const looks = (30 * 24 * 60) / limits.defaultsEveryMinutes;
const lookSeconds = 0.1;
const idle =
  looks *
  (prices.put +
    prices.invocation +
    (limits.defaultsMemoryMebibytes / 1_024) * lookSeconds * prices.gibibyteSecond);
/** Lambda asks each of the three queues; assumed: five at once, each waiting for 20 s. */
const asked = 3 * 5 * 3 * 60 * 24 * 30 * prices.queue;
const alarmMetrics = watchedMetrics();
const alarms = alarmMetrics * prices.alarmMetric;
process.stdout.write(
  `\nDollars for a month in which nothing comes: $${(idle + asked + alarms).toFixed(2)}: ` +
    `${alarmMetrics} metrics of alarms $${alarms.toFixed(2)}, asking three queues ` +
    `$${asked.toFixed(2)}, looking for labels that are due $${idle.toFixed(2)}\n` +
    `A metric of one's own, such as a model's: $${prices.ownMetric.toFixed(2)} a month\n`,
);

/** Measured on one core by `test/bench/large.ts`: what a function reads, and trains on. */
const megabytesPerSecond = 25;
const rowsReadPerSecond = 60_000;
const rowsPerSecond = 1_000_000;
/** A part begins, is prepared, asked whether it is done, and ends. */
const statesOfPart = 5;
/** Beside the pieces of its file: its place, its plan, its shards, its manifest, its mark. */
const requestsOfPart = { get: 8, put: 8 };

const datasets = [
  { name: '1 TB of CSV, 800 bytes a row', bytes: 1e12, rows: 1.25e9, rowBytes: 40 },
  { name: '10¹⁰ rows of 100 bytes', bytes: 1e12, rows: 1e10, rowBytes: 40 },
].map(({ name, bytes, rows: count, rowBytes }) => {
  const parts = Math.ceil(bytes / limits.partBytes);
  const seconds = Math.max(bytes / 1e6 / megabytesPerSecond, count / rowsReadPerSecond);
  const shards = Math.max(parts, count / limits.shardRows);
  const gets = bytes / limits.pieceBytes + parts * requestsOfPart.get;
  const preparing =
    seconds * gibibytes * prices.gibibyteSecond +
    parts * (prices.invocation + statesOfPart * prices.transition) +
    gets * prices.get +
    (shards + parts * requestsOfPart.put) * prices.put;
  const epochSeconds = count / rowsPerSecond;
  const epoch = epochSeconds * gibibytes * prices.gibibyteSecond + shards * prices.get;
  const stored = ((count * rowBytes) / 2 ** 30) * prices.gibibyteMonth;
  return [
    name,
    String(parts),
    `${(seconds / limits.partsAtOnce / 60).toFixed(0)} min`,
    `$${preparing.toFixed(2)}`,
    `${(epochSeconds / 60).toFixed(0)} min`,
    `$${epoch.toFixed(2)}`,
    `$${stored.toFixed(2)}`,
  ];
});
const headsOfJob = ['dataset', 'parts', 'prepared in', 'for', 'an epoch in', 'for', 'kept a month'];
const assumed =
  `parts of ${limits.partBytes / 2 ** 20} MiB, ${limits.partsAtOnce} at once; ` +
  `a function reads ${megabytesPerSecond} MB or ${rowsReadPerSecond.toLocaleString('en')} rows, ` +
  `and trains ${rowsPerSecond.toLocaleString('en')} rows of a small network, a second`;
process.stdout.write(
  `\nA job over a large dataset (${assumed}):\n\n${formatTable([headsOfJob, ...datasets])}\n`,
);
