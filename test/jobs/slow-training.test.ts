import { expect, it } from 'vitest';
import { parseJobMessage } from '../../lib/jobs/job-message.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { limits } from '../../lib/limits.ts';
import { start, worldWithDataset } from '../support/jobs.ts';
import { slowEngine } from '../support/slow-engine.ts';
import { deliver, message, ticket } from '../support/world.ts';

/** What is thrown where an invocation would have been killed. */
const killed = new Error('killed: its time is over');

/** Rows that are predicted at once where the held-out ones are, and not fewer. */
const manyRows = 4;

/** Of a slow processor. */
const productsOfSecond = 3e9;

type Seconds = {
  readonly training: number;
  readonly passes?: number;
  readonly row?: number;
  /** Samples of a stream, on which weights are compared too. */
  readonly streamed?: number;
};

/**
 * The slices of a job whose minibatches, and whose predictions of all held-out rows or of each,
 * take some seconds, all else nothing.
 */
async function slicesOf({ training, passes = 0, row = 0, streamed = 0 }: Seconds) {
  const world = await worldWithDataset();
  const samples = Array.from({ length: streamed }, (_, i) => ticket(i));
  if (streamed > 0) await deliver(world, [message(1, { samples })]);
  const clock = { seconds: 1.8e9, end: Number.POSITIVE_INFINITY };
  const take = (seconds: number) => {
    clock.seconds += seconds;
    if (clock.seconds >= clock.end) throw killed;
  };
  const engine = slowEngine(world.engine, {
    train: () => take(training),
    predict(rows) {
      if (rows >= manyRows) take(passes);
      take(row * rows);
    },
    ...(row > 0 && { work: { predicted: row * productsOfSecond, learnt: training, step: 0 } }),
  });
  const ports = { ...world, engine, now: () => clock.seconds * 1_000 };
  const slices: string[] = [];
  for (let next = start; slices.length < 30; ) {
    world.sentJobs.length = 0;
    clock.end = clock.seconds + limits.batchTimeoutSeconds;
    const { place } = await runSlice(ports, next, () => clock.end - clock.seconds);
    slices.push(place.status);
    const [sent] = world.sentJobs;
    if (sent === undefined) break;
    next = parseJobMessage(sent.body, 'unused');
  }
  return slices;
}

it.each([
  { training: 1, passes: 1, slices: 1 },
  { training: 30, passes: 30, slices: 2 },
  { training: 140, passes: 250 },
  { training: 300, passes: 400 },
  { training: 1, row: 30 },
  { training: 1, row: 100 },
  { training: 1, row: 300 },
  { training: 1, row: 1, streamed: 2_000 },
])('a job ends, however long it trains and compares: %j', async ({ slices, ...seconds }) => {
  const done = await slicesOf(seconds);
  expect(['promotion-sent', 'kept-champion']).toContain(done.at(-1));
  if (slices !== undefined) expect(done).toHaveLength(slices);
});
