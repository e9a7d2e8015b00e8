import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { keys } from '../../bucket/keys.ts';
import type { ObjectStore } from '../../bucket/object-store.ts';
import { formatCount, type Progress } from '../../cli/progress.ts';
import { watchJob } from '../../cli/watch-job.ts';
import { MillraceError } from '../../errors.ts';
import { areaUnderCurve, meanLoss } from '../../metrics/scores.ts';
import { createModel } from '../../model/create-model.ts';
import type { Ports } from '../../ports/ports.ts';
import { type Flight, flightsOfMonth, monthNames, readFlights } from './data.ts';
import { drawPicture } from './picture.ts';
import { flightsSpec } from './spec.ts';
import { lossesInJournal, streamFlights } from './stream.ts';

/** Settings of the main job. */
export type FlightsOptions = {
  /** Months to stream, from February on: 1 to 5. */
  readonly months: number;
  /** Use only this many flights of each month. */
  readonly limit: number;
  /** January's objects, {@link januaryObjects}: they may have been made while the stack was. */
  readonly january: () => Promise<readonly Uint8Array[]>;
  readonly signal: AbortSignal;
};

/** What the main job found out; the shape that `--json` prints. */
export type FlightsResult = {
  readonly frozen: { readonly auc: number; readonly logLoss: number };
  readonly online: { readonly auc: number; readonly logLoss: number };
  /** Samples of the stream that the online model predicted, then learnt. */
  readonly samples: number;
  /** How long this run streamed, and how many samples it learnt in each second, end to end. */
  readonly seconds: number;
  readonly samplesPerSecond: number;
  readonly slices: number;
  readonly entries: number;
  readonly quarantined: number;
};

const dataset = 'flights-2001-01';
const jobPrefix = 'january-';
/** Rows of one object of the dataset. */
const objectRows = 131_072;

/**
 * The main job on a running stack, here or on AWS: creates the model, trains it on January in batch
 * slices, then streams the following months through the queue. A run that was interrupted goes on
 * where it was.
 *
 * @returns the result, and a function that draws both models' losses as an SVG (it reads the whole
 *   journal)
 */
export async function runFlights(
  ports: Ports,
  progress: Progress,
  options: FlightsOptions,
): Promise<{ readonly result: FlightsResult; readonly draw: () => Promise<string> }> {
  const { store } = ports;
  await createModel(ports, flightsSpec);
  const job = await jobOfRun(ports);
  const { promotion, slices } = await trainOnJanuary(ports, progress, { ...options, job });
  const streamed = await streamFlights(ports, progress, promotion, {
    ...options,
    producer: `replay-${job}`,
  });
  const { state, frozen, seconds, learntNow } = streamed;
  const quarantined = await store.list(keys.quarantines(flightsSpec.model));
  const result = {
    frozen: { auc: areaUnderCurve(frozen), logLoss: meanLoss(frozen) },
    online: { auc: areaUnderCurve(state.scores), logLoss: meanLoss(state.scores) },
    samples: state.scores.samples,
    seconds,
    samplesPerSecond: seconds > 0 ? learntNow / seconds : 0,
    slices,
    entries: state.sequence,
    quarantined: quarantined.length,
  };
  const draw = async () =>
    drawPicture(
      streamed.losses,
      await lossesInJournal(ports, state, `replay-${job}`),
      streamed.days,
    );
  return { result, draw };
}

/**
 * The batch job of this run: the one that an interrupted run began, or a new one. Its name is in
 * those of all messages: SQS would drop what an earlier model of this name was sent just now.
 */
async function jobOfRun({ store, nonce }: Ports): Promise<string> {
  const jobs = await store.folders(keys.jobs(flightsSpec.model));
  const begun = jobs.find((each) => each.startsWith(jobPrefix));
  return begun ?? `${jobPrefix}${nonce().slice(0, 8)}`;
}

async function trainOnJanuary(
  ports: Ports,
  progress: Progress,
  { job, limit, january, signal }: FlightsOptions & { readonly job: string },
): Promise<{ readonly promotion: number; readonly slices: number }> {
  const { store } = ports;
  if ((await store.list(keys.dataset(dataset))).length === 0) {
    await uploadJanuary(store, await january());
    progress.step(
      `January is in the bucket: ${formatCount(Math.min(limit, flightsOfMonth[0]))} flights`,
    );
  }
  await ports.sendJob({
    body: JSON.stringify({ model: flightsSpec.model, job, dataset }),
    group: flightsSpec.model,
    deduplication: `${job}:0`,
  });
  const { model, batch } = flightsSpec;
  const watched = { model, job, epochs: batch.epochs, title: monthNames[0] };
  const last = await watchJob(store, progress, watched, signal);
  const { promotion } = last;
  if (promotion === undefined) {
    throw new MillraceError(
      'invalid',
      `the batch job ended as ${last.status}: ${last.reason ?? 'no reason given'}`,
    );
  }
  const heldOut = last.comparison?.heldOut;
  progress.step(
    `${last.epoch} epochs in ${last.slice} slices; held-out log loss ` +
      `${heldOut?.champion?.toFixed(4)} before, ${heldOut?.challenger.toFixed(4)} after; ` +
      `promoted as entry ${promotion}`,
  );
  return { promotion, slices: last.slice };
}

async function uploadJanuary(store: ObjectStore, january: readonly Uint8Array[]): Promise<void> {
  for (const [part, object] of january.entries()) {
    const name = `part-${String(part).padStart(3, '0')}.jsonl.gz`;
    await store.put(`${keys.dataset(dataset)}${name}`, object);
  }
}

/**
 * January as JSON Lines, packed with gzip, in objects of some 131,000 flights.
 *
 * @param limit at most so many flights
 */
export async function januaryObjects(limit: number): Promise<readonly Uint8Array[]> {
  const objects: Promise<Uint8Array>[] = [];
  let pending: Flight[] = [];
  let rows = 0;
  const pack = () => {
    const lines = pending.map((flight) => JSON.stringify(flight)).join('\n');
    pending = [];
    objects.push(promisify(gzip)(`${lines}\n`));
  };
  for await (const { flights } of readFlights(0, 0)) {
    const taken = flights.slice(0, limit - rows);
    rows += taken.length;
    pending.push(...taken);
    if (pending.length >= objectRows) pack();
  }
  if (pending.length > 0) pack();
  return await Promise.all(objects);
}
