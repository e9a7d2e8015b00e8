import { keys } from '../bucket/keys.ts';
import { type PreparedDataset, prepareDataset, type SampleSource } from '../datasets/prepare.ts';
import { readRows } from '../datasets/rows.ts';
import { readHeldOut } from '../datasets/shards.ts';
import { rowToSample } from '../datasets/to-sample.ts';
import { invalid, invariant, reasonIf } from '../errors.ts';
import { emptyStatistics } from '../features/statistics.ts';
import { challengerDigest, writeChallenger } from '../fold/challenger.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { catchUp, currentState, retractedMeanwhile } from '../fold/fold.ts';
import { loadModel, type Model } from '../fold/model.ts';
import { quarantine } from '../journal/quarantine.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { decodeCheckpoint } from '../state/checkpoint.ts';
import type { Parameters } from '../state/state.ts';
import { compareChampion, isBetter } from './comparison.ts';
import { startStatistics, trainEpochs } from './epochs.ts';
import type { JobMessage } from './job-message.ts';
import { firstPlace, type Lane, type Place, readLane, writeLane } from './lane.ts';
import { reportProgress, reportSurely } from './progress.ts';
import { type JobRecord, openJob } from './record.ts';

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
  const sequence = async () => (await currentState(ports, model)).sequence;
  const record = await openJob(ports, model, message, sequence).catch(reasonIfInvalid);
  if (typeof record === 'string') {
    const place = failedPlace(ports, message, firstPlace(0), record);
    await reportSurely(ports, message, place, 0);
    return { place, rows: 0, refusedRows: 0 };
  }
  const stored = await readLane(ports, model, record);
  const sums = { rows: 0, refusedRows: 0 };
  /** Says where the job stands, and sends what follows. A run that was overtaken does it too. */
  const follow = async (lane: Lane): Promise<SliceResult> => {
    await reportSurely(ports, record, lane.place, sums.rows);
    await sendNext(ports, record, lane);
    return { place: lane.place, ...sums };
  };
  if (stored !== undefined && stored.lane.place.slice > message.slice) return follow(stored.lane);

  const advanced = await train(ports, model, record, message, stored?.lane, secondsLeft, sums).catch(
    reasonIfInvalid,
  );
  const lane =
    typeof advanced === 'string' ? failedLane(ports, model, message, stored?.lane, advanced) : advanced;
  const { parameters, place } = lane;
  if (place.status === 'promotion-sent')
    await writeChallenger(ports, model, record.job, { parameters, caughtUp: place.caughtUp });
  if ((await writeLane(ports, record, lane, stored?.etag)) === 'written') return follow(lane);
  ports.log.warn('another run of this slice was faster', {
    model: record.model,
    job: record.job,
    slice: message.slice,
  });
  const faster = await readLane(ports, model, record);
  invariant(faster !== undefined, `the lane of job ${record.job} is gone`);
  return follow(faster.lane);
}

/** The lane after a slice. @param sums is told of the dataset's rows */
async function train(
  ports: Ports,
  model: Model,
  record: JobRecord,
  { slice }: JobMessage,
  stored: Lane | undefined,
  secondsLeft: () => number,
  sums: { rows: number; refusedRows: number },
): Promise<Lane> {
  const { objects, sequence } = record;
  const prepared = await prepareDataset(ports.store, model, {
    identity: objects.length > 0 ? objects : { journal: record.model, sequence },
    samples: samplesOf(ports, model, record),
  });
  sums.rows = prepared.shardRows.reduce((sum, count) => sum + count, 0);
  sums.refusedRows = prepared.refusedRows;
  if (slice >= limits.slicesPerJob)
    throw invalid(`job ${record.job} needs more than ${limits.slicesPerJob} slices`);
  const lane = stored ?? (await firstLane(ports, model, record, prepared));
  const { parameters, place } = await advance(ports, model, prepared, record, lane, secondsLeft);
  return { parameters, place: { ...place, slice: slice + 1 } };
}

/** An error of kind `invalid` ends the job. Others are thrown, and the slice comes back. */
const reasonIfInvalid = reasonIf('invalid');

function failedPlace({ log }: Ports, { model, job, slice }: JobMessage, place: Place, reason: string): Place {
  log.error('a job failed', { model, job, reason });
  return { ...place, slice: slice + 1, status: 'failed', reason };
}

/** That a job failed is in its lane too: another run of the slice must not go on without it. */
function failedLane(
  ports: Ports,
  model: Model,
  message: JobMessage,
  stored: Lane | undefined,
  reason: string,
): Lane {
  const { parameters, place } = stored ?? { parameters: freshParameters(model), place: firstPlace(0) };
  return { parameters, place: failedPlace(ports, message, place, reason) };
}

function freshParameters({ compiled, encoder }: Model): Parameters {
  return { ...compiled.initial(), statistics: emptyStatistics(encoder.layout) };
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
    await quarantine(ports, record.model, {
      message: record.job,
      dataset: record.dataset,
      refusedRows: prepared.refusedRows,
      refused: prepared.refused,
    });
  }
  if (record.start === 'fresh')
    return startStatistics({ parameters: freshParameters(model), place }, prepared);
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
function samplesOf(ports: Ports, model: Model, record: JobRecord): SampleSource['samples'] {
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
