import { type PreparedDataset, prepareDataset, type SampleSource } from '../datasets/prepare.ts';
import { readRows } from '../datasets/rows.ts';
import { readHeldOut } from '../datasets/shards.ts';
import { rowToSample } from '../datasets/to-sample.ts';
import { invalid, invariant, MillraceError } from '../errors.ts';
import { emptyStatistics } from '../features/statistics.ts';
import { decodeCheckpoint } from '../journal/checkpoint.ts';
import { putOverOlder } from '../journal/journal.ts';
import { keys } from '../journal/keys.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { startStatistics, trainEpochs } from './batch-epochs.ts';
import { challengerDigest, writeChallenger } from './challenger.ts';
import { compareChampion, isBetter } from './champion.ts';
import { catchUp, currentState, retractedMeanwhile } from './fold.ts';
import { type JobRecord, openJob } from './job-record.ts';
import { firstPlace, type Lane, type Place, placeSchema, readLane, writeLane } from './lane.ts';
import type { JobMessage } from './messages.ts';
import { loadModel, type Model } from './model.ts';
import { quarantine } from './quarantine.ts';
import { exclusionsOf, samplesWithout } from './retraction.ts';

/** What a slice did: where the job stands after it. */
export type SliceResult = { readonly place: Place; readonly rows: number; readonly refusedRows: number };

/**
 * Does one slice of a batch job: trains until its budget is used up, writes the lane and sends the
 * continuation; at the end catches up with the stream and sends the promotion to the model's own queue. A
 * slice that dies is run again from the last lane; one that was done already only sends what follows it.
 *
 * Wrong settings, or a dataset that is missing or has no rows, end the job as `failed`, with the reason in its
 * progress.
 *
 * @throws MillraceError kind `invalid` if the model does not exist, `unavailable` if S3 or SQS do not answer
 */
export async function runSlice(
  ports: Ports,
  message: JobMessage,
  secondsLeft: () => number,
): Promise<SliceResult> {
  const model = await loadModel(ports, message.model);
  if (model === undefined) throw invalid(`there is no model ${message.model}; create it before training it`);
  try {
    return await runSliceOf(ports, model, message, secondsLeft);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.kind !== 'invalid') throw error;
    ports.log.error('a job failed', { model: message.model, job: message.job, reason: error.message });
    const place: Place = {
      ...firstPlace(0),
      slice: message.slice + 1,
      status: 'failed',
      reason: error.message,
    };
    await reportSurely(ports, message, place, 0);
    return { place, rows: 0, refusedRows: 0 };
  }
}

async function runSliceOf(
  ports: Ports,
  model: Model,
  message: JobMessage,
  secondsLeft: () => number,
): Promise<SliceResult> {
  const record = await openJob(
    ports,
    model,
    message,
    async () => (await currentState(ports, model)).sequence,
  );
  const prepared = await prepareDataset(
    ports.store,
    model.spec,
    model.encoder,
    record.objects.length > 0 ? record.objects : { journal: record.model, sequence: record.sequence },
    sourceOf(ports, model, record),
  );
  const rows = prepared.shardRows.reduce((sum, count) => sum + count, 0);
  const stored = await readLane(ports, model, record);
  const follow = async (lane: Lane): Promise<SliceResult> => {
    await reportSurely(ports, record, lane.place, rows);
    await sendNext(ports, record, lane);
    return { place: lane.place, rows, refusedRows: prepared.refusedRows };
  };
  if (stored !== undefined && stored.lane.place.slice > message.slice) return follow(stored.lane);
  if (message.slice >= limits.slicesPerJob)
    throw invalid(`job ${record.job} needs more than ${limits.slicesPerJob} slices`);
  const lane = stored?.lane ?? (await firstLane(ports, model, record, prepared));

  const advanced = await advance(ports, model, prepared, record, lane, secondsLeft);
  const done: Lane = { ...advanced, place: { ...advanced.place, slice: message.slice + 1 } };
  if (done.place.status === 'promotion-sent') {
    const { parameters, place } = done;
    await writeChallenger(ports, model, record.job, { parameters, caughtUp: place.caughtUp });
  }
  if ((await writeLane(ports, record, done, stored?.etag)) === 'lost') {
    ports.log.warn('another run of this slice was faster', {
      model: record.model,
      job: record.job,
      slice: message.slice,
    });
    // It may have died since, and its message may be gone: what follows its slice is sent by both.
    const faster = await readLane(ports, model, record);
    invariant(faster !== undefined, `the lane of job ${record.job} is gone`);
    return follow(faster.lane);
  }
  return follow(done);
}

/** Trains; once a stop condition holds, catches up; once that is done, decides. */
async function advance(
  ports: Ports,
  model: Model,
  prepared: PreparedDataset,
  record: JobRecord,
  lane: Lane,
  secondsLeft: () => number,
): Promise<Lane> {
  const { store, now } = ports;
  const isOutOfTime = () => secondsLeft() < limits.publishReserveSeconds;
  const deadline = now() + model.spec.batch.slice.seconds * 1_000;
  const rows = prepared.shardRows.reduce((sum, count) => sum + count, 0);
  const heldOut = await readHeldOut(store, prepared);
  let reportedAt = 0;
  const trained = await trainEpochs(
    {
      store,
      model,
      prepared,
      heldOut,
      now,
      isTimeUp: () => now() >= deadline || isOutOfTime(),
      async onProgress(place, rowsOfEpoch) {
        if (now() - reportedAt < limits.progressSeconds * 1_000) return;
        reportedAt = now();
        await reportProgress(ports, record, place, rowsOfEpoch, rows);
      },
    },
    lane,
  );
  if (trained.place.status !== 'catching-up' || isOutOfTime()) return trained;

  const { parameters, caughtUp } = await catchUp(
    ports,
    model,
    trained.parameters,
    trained.place.caughtUp,
    Number.POSITIVE_INFINITY,
    isOutOfTime,
  );
  const current: Lane = { parameters, place: { ...trained.place, caughtUp } };
  const champion = await currentState(ports, model);
  if (champion.sequence - caughtUp > limits.promotionLagEntries) return current;
  const comparison = await compareChampion(ports, model, champion, parameters, heldOut);
  const status = isBetter(comparison, model.spec.batch.margin) ? 'promotion-sent' : 'kept-champion';
  return { parameters, place: { ...current.place, status, comparison } };
}

/** Sends what follows a slice. The deduplication ids make a second sending within five minutes nothing. */
async function sendNext(ports: Ports, record: JobRecord, { place }: Lane): Promise<void> {
  const { model, job, dataset, start } = record;
  if (place.status === 'training' || place.status === 'catching-up') {
    await ports.sendJob({
      body: JSON.stringify({ model, job, dataset, start, slice: place.slice }),
      group: model,
      deduplication: `${job}:${place.slice}`,
    });
  } else if (place.status === 'promotion-sent' && !(await isPromoted(ports, record))) {
    const digest = await challengerDigest(ports.store, model, job);
    await ports.sendSamples({
      body: JSON.stringify({ promote: { job, digest } }),
      group: model,
      deduplication: `${job}:promote`,
    });
  }
}

async function isPromoted({ store }: Ports, { model, job }: JobRecord): Promise<boolean> {
  const published = await store.get(keys.state(model));
  return published !== undefined && decodeCheckpoint(published.body).promoted?.job === job;
}

async function firstLane(
  ports: Ports,
  model: Model,
  record: JobRecord,
  prepared: PreparedDataset,
): Promise<Lane> {
  const place = firstPlace(record.sequence);
  if (prepared.refused.length > 0) {
    await quarantine(ports.store, record.model, record.job, prepared.refused, {
      dataset: record.dataset,
      refusedRows: prepared.refusedRows,
    });
  }
  const fresh = { ...model.compiled.initial(), statistics: emptyStatistics(model.encoder.layout) };
  if (record.start === 'fresh') return startStatistics({ parameters: fresh, place }, prepared);
  const champion = await currentState(ports, model);
  // The job's samples are those up to its start: what was retracted since then would be among them.
  const retraction = champion.retractions.findLast(({ sequence }) => sequence > record.sequence);
  if (retraction !== undefined) throw retractedMeanwhile(retraction.sequence);
  const { tensors, step, seed, statistics } = champion;
  const started = {
    parameters: { tensors, step, seed, statistics },
    place: { ...place, caughtUp: champion.sequence },
  };
  return startStatistics(started, prepared);
}

/** Raw samples of the job's pinned objects, or of the journal up to the job's start. */
function sourceOf(ports: Ports, model: Model, record: JobRecord): SampleSource {
  const { store } = ports;
  return async function* () {
    const toSample = rowToSample(model.spec);
    for (const { key, etag } of record.objects) {
      const object = await store.get(key);
      if (object?.etag !== etag) {
        throw invalid(
          `${key} was ${object === undefined ? 'deleted' : 'changed'} after job ${record.job} began; start a new job`,
        );
      }
      for await (const rows of readRows(object.body, key)) yield rows.map(toSample);
    }
    if (record.objects.length > 0) return;
    const retracted = await exclusionsOf(store, await currentState(ports, model), record.sequence);
    const journal = entriesAfter(store, model.name, 0, {
      to: record.sequence,
      ahead: limits.readsAtOnce,
    });
    for await (const entry of journal) yield samplesWithout(entry, retracted).flat();
  };
}

/**
 * Where a job stands, for whoever watches it: `progress.json`. Nothing depends on it, and it never goes back to an
 * earlier slice: a run that was overtaken may still be reporting. The answer says whether it is there.
 */
async function reportProgress(
  { store, now }: Ports,
  { model, job, dataset }: Pick<JobRecord, 'model' | 'job' | 'dataset'>,
  place: Place,
  rowsOfEpoch: number,
  rows: number,
): Promise<boolean> {
  const key = keys.progress(model, job);
  const progress = { job, dataset, time: new Date(now()).toISOString(), rows, rowsOfEpoch, ...place };
  const body = Buffer.from(`${JSON.stringify(progress, null, 1)}\n`);
  const reported = await store.get(key);
  if (reported !== undefined && isOvertaken(reported.body, place)) return true;
  const isNewer = (current: Uint8Array) => isOvertaken(current, place) || Buffer.from(current).equals(body);
  return (await putOverOlder(store, key, body, reported?.etag, isNewer)) !== undefined;
}

/** Reports where a slice ended. @throws MillraceError kind `unavailable` if it cannot: the slice must come back */
async function reportSurely(
  ports: Ports,
  job: Pick<JobRecord, 'model' | 'job' | 'dataset'>,
  place: Place,
  rows: number,
): Promise<void> {
  if (await reportProgress(ports, job, place, rows, rows)) return;
  throw new MillraceError('unavailable', `${keys.progress(job.model, job.job)} could not be written`);
}

/** Whether a later slice has reported. */
function isOvertaken(progress: Uint8Array, place: Place): boolean {
  const reported = placeSchema.pick({ slice: true }).loose();
  return reported.parse(JSON.parse(Buffer.from(progress).toString())).slice > place.slice;
}
