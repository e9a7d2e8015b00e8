import type { PreparedDataset } from '../datasets/manifest.ts';
import { prepareDataset } from '../datasets/prepare.ts';
import { TooManyRefused } from '../datasets/tally.ts';
import { invalid, invariant, isOfKind, MillraceError, reasonIf, specChanged } from '../errors.ts';
import { retractedMeanwhile } from '../fold/catch-up.ts';
import { writeChallenger } from '../fold/challenger.ts';
import { currentState } from '../fold/fold.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { limits } from '../limits.ts';
import { loadModel, modelOf } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { refuse } from '../refusal.ts';
import { parametersOf, type State } from '../state/state.ts';
import {
  type Advanced,
  assertMaySlice,
  failed,
  failedPlace,
  mayRunSideBySide,
  placeBefore,
  type Slice,
  sumsOf,
  unprepared,
  withoutParts,
} from './advanced.ts';
import { lazyTimerOf, timerOf } from './budget.ts';
import { assertSpecHolds, currentChampion } from './champion.ts';
import { startStatistics, trainEpochs } from './epochs.ts';
import { evaluatedRows } from './evaluated-rows.ts';
import { finish } from './finish.ts';
import type { JobMessage } from './job-message.ts';
import {
  type DatasetSums,
  firstPlace,
  type Lane,
  noSums,
  type Place,
  readLane,
  writeLane,
} from './lane.ts';
import { reportProgress, reportSurely, throttled } from './progress.ts';
import { openJob } from './record.ts';
import { keepRefusedRows } from './refused-rows.ts';
import { sendNext } from './send-next.ts';
import { sourceOf } from './source.ts';
import { areOfStream } from './stream-window.ts';

/** How far the job is after a slice. */
export type SliceResult = { readonly place: Place } & DatasetSums;

/**
 * Does one slice of a batch job. It trains until its budget is used up, writes the lane and sends
 * the continuation. At the end it catches up with the stream and sends the promotion to the model's
 * own queue. A slice that dies is run again from the last lane; one that was done already only
 * sends what follows it.
 *
 * Wrong settings, a dataset that is missing or has no rows, or a journal that cannot be read, end
 * the job as `failed`, with the reason in its progress.
 *
 * @throws MillraceError kind `invalid` if the model does not exist, `unavailable` if S3 or SQS do
 *   not answer
 */
export async function runSlice(
  ports: Ports,
  message: JobMessage,
  secondsLeft: () => number,
): Promise<SliceResult> {
  const begun = ports.now();
  const first = await loadModel(ports, message.model);
  if (first === undefined)
    throw invalid(`there is no model ${message.model}; create it before training it`);
  const current = async () => {
    const state = await currentState(ports, first);
    const { spec } = (await modelOf(ports, first, state.specHash)) ?? first;
    return { ...state, spec };
  };
  const opened = await openJob(ports, message, current).catch((error) =>
    refuse('bad-dataset', reasonIfDamaged(error)),
  );
  if (!opened.ok) {
    const place = failedPlace(ports, message, firstPlace(0), opened.reason);
    // The progress of a job that exists with other settings is that job's own.
    if (opened.code !== 'job-exists') await reportSurely(ports, message, place, noSums);
    return { place, ...noSums };
  }
  const { record } = opened;
  const model = await modelOf(ports, first, record.spec);
  // Not the job's fault: it comes back, and goes on once the spec is what it was.
  if (model === undefined) throw specChanged(`job ${message.job} began with another spec`);
  const slice: Slice = { ports, model, record, number: message.slice, secondsLeft, begun };
  const stored = await readLane(ports, model, record).catch(reasonIf('corrupt'));
  if (typeof stored === 'string') {
    const place = failedPlace(ports, message, firstPlace(0), `${stored}; start another job`);
    await reportSurely(ports, record, place, noSums);
    return { place, ...noSums };
  }
  if (stored !== undefined && stored.lane.place.slice > message.slice) {
    return follow(slice, { lane: stored.lane, ...(stored.lane.sums ?? noSums) });
  }
  const trained = await advance(slice, stored?.lane).catch(reasonIfLasting);
  const advanced = typeof trained === 'string' ? failed(slice, stored?.lane, trained) : trained;
  const { lane, rows, refusedRows, unknown } = advanced;
  const sums = { rows, refusedRows, unknown };
  const { parameters, place } = lane;
  if (place.status === 'promotion-sent') {
    await writeChallenger(ports, model, record.job, { parameters, caughtUp: place.caughtUp });
  }
  if ((await writeLane(ports, record, { ...lane, sums }, stored?.etag)).ok)
    return follow(slice, advanced);
  ports.log.warn('another run of this slice was faster', {
    model: record.model,
    job: record.job,
    slice: message.slice,
  });
  const faster = await readLane(ports, model, record);
  invariant(faster !== undefined, `the lane of job ${record.job} is gone`);
  return follow(slice, { lane: faster.lane, ...(faster.lane.sums ?? sums) });
}

/**
 * Reports how far the job is, and sends what follows. A run that was overtaken does so too: the
 * faster one may have died.
 */
async function follow({ ports, record }: Slice, { lane, ...sums }: Advanced): Promise<SliceResult> {
  await reportSurely(ports, record, lane.place, sums);
  await sendNext(ports, record, lane);
  return { place: lane.place, ...sums };
}

/**
 * What no later slice could do either ends the job: wrong input, and stored data that is damaged or
 * gone. Other errors are thrown, and the slice comes back.
 */
function reasonIfLasting(error: unknown): string {
  return isOfKind(error, 'corrupt') ? reasonIfDamaged(error) : reasonIf('invalid')(error);
}

/** (A model whose spec was written over is none that is damaged: it goes on once it is back.) */
function reasonIfDamaged(error: unknown): string {
  if (!isOfKind(error, 'corrupt') || error.code !== undefined) throw error;
  return `${error.message}; restore it, and start another job`;
}

/**
 * The lane after the slice: it prepares the dataset and trains; once a stop condition holds, it
 * catches up and decides. If what was prepared turns out to be damaged, it is prepared again.
 */
async function advance(slice: Slice, stored: Lane | undefined): Promise<Advanced> {
  const { ports, model, record } = slice;
  await assertSpecHolds(ports, model, record);
  const source = await sourceOf(ports, model, record);
  const goOn = async (isAgain: boolean) => {
    if (isAgain && isTimeUp(slice.secondsLeft)) return unprepared(slice, stored, 0);
    const preparing = await prepareDataset(ports, model, source, {
      isAgain,
      sideBySide: mayRunSideBySide(slice, isAgain ? undefined : stored),
      isTimeUp: lazyTimerOf(slice),
      mustStop: () => isTimeUp(slice.secondsLeft),
      onRows: throttled(ports.now, (rows) =>
        reportProgress(
          ports,
          record,
          { ...placeBefore(slice, stored), status: 'preparing' },
          { ...noSums, rows, rowsOfEpoch: 0 },
        ),
      ),
    });
    if (preparing.isDone) return advanceOver(slice, preparing.prepared, stored);
    const { rows, parts } = preparing;
    return unprepared(slice, stored, rows, parts);
  };
  try {
    return await goOn(false);
  } catch (error) {
    if (error instanceof TooManyRefused) {
      await keepRefusedRows(ports, record, error.sums);
      return { ...failed(slice, stored, error.message), ...error.sums };
    }
    if (!(error instanceof MillraceError) || error.code !== 'damaged-cache') throw error;
    ports.log.warn('a prepared dataset is damaged, and prepared again', { reason: error.message });
    return goOn(true);
  }
}

async function advanceOver(
  slice: Slice,
  prepared: PreparedDataset,
  stored: Lane | undefined,
): Promise<Advanced> {
  const { number } = slice;
  const sums = sumsOf(prepared);
  const work = async () => {
    assertMaySlice(slice);
    const isTraining = stored !== undefined && stored.place.status !== 'preparing';
    const lane = isTraining ? withoutParts(stored) : await firstLane(slice, prepared);
    const trained = await train(slice, prepared, lane);
    const hasTrained = lane.place.status !== 'catching-up';
    return finish(slice, prepared, trained, hasTrained);
  };
  const reached = await work().catch(reasonIfLasting);
  if (typeof reached === 'string') return { ...failed(slice, stored, reached), ...sums };
  return { lane: { ...reached, place: { ...reached.place, slice: number + 1 } }, ...sums };
}

/** Half of what an invocation has, in milliseconds. */
const halfOfTime = (limits.batchTimeoutSeconds * 1_000) / 2;

async function train(slice: Slice, prepared: PreparedDataset, lane: Lane): Promise<Lane> {
  const { ports, model, record } = slice;
  const { store, now } = ports;
  const sums = sumsOf(prepared);
  const begun = now();
  return trainEpochs(
    {
      store,
      model,
      prepared,
      heldOut: await evaluatedRows(store, prepared, model),
      now,
      begun,
      turn: ports.turn,
      isTimeUp: timerOf(slice),
      mayEvaluate: () => now() - slice.begun < halfOfTime,
      onProgress: throttled(ports.now, (place: Place, rowsOfEpoch: number) =>
        reportProgress(ports, record, place, { ...sums, rowsOfEpoch }),
      ),
    },
    lane,
  );
}

/** Where a job begins: at the champion's weights, or at fresh ones. */
async function firstLane(slice: Slice, prepared: PreparedDataset): Promise<Lane> {
  const { ports, model, record } = slice;
  const place = firstPlace(record.sequence);
  await keepRefusedRows(ports, record, prepared);
  const { layout } = model.encoder;
  const isFresh = record.start === 'fresh';
  if (isFresh && layout.growingClasses === undefined)
    return startStatistics({ parameters: model.initial, place }, prepared, layout);
  const champion = await currentChampion(ports, model, record);
  if (isFresh) {
    // Classes that have places keep them: the stream goes on with whatever is promoted.
    const { classNames } = champion.statistics;
    const statistics = { ...model.initial.statistics, ...(classNames && { classNames }) };
    return startStatistics(
      { parameters: { ...model.initial, statistics }, place },
      prepared,
      layout,
    );
  }
  // The job's samples are those up to its start: what was retracted since then would be among them.
  const retraction = champion.retractions.findLast(({ sequence }) => sequence > record.sequence);
  if (retraction !== undefined) throw invalid(retractedMeanwhile(retraction.sequence).reason);
  const { learnt, sequence: caughtUp } = champion;
  const isOfStream = learnt > 0;
  const isHeldOutKnown = isOfStream && (await isKnown(slice, prepared, champion));
  return startStatistics(
    {
      parameters: parametersOf(champion),
      place: { ...place, caughtUp, ...(isOfStream && { isOfStream, isHeldOutKnown }) },
    },
    prepared,
    layout,
  );
}

/** Whether some of the held-out rows were in the stream that a state has learnt. */
async function isKnown(
  { ports, model, record }: Slice,
  prepared: PreparedDataset,
  state: State,
): Promise<boolean> {
  if (model.spec.online.experts === undefined) return false;
  if (record.dataset === 'journal') return true;
  const heldOut = await evaluatedRows(ports.store, prepared, model);
  return heldOut.count > 0 && areOfStream(ports, model, state, heldOut);
}
