import * as z from 'zod';
import { putOverOlder } from '../bucket/conditional-puts.ts';
import { jsonBody, parseUndamaged, readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { type DatasetSums, jobStatuses, type Place, placeSchema } from './lane.ts';
import type { JobRecord } from './record.ts';

const progressSchema = z.object({
  ...placeSchema.shape,
  status: z.enum([...jobStatuses, 'promoted']),
  dataset: z.string().optional(),
  time: z.string().optional(),
  rows: z.int(),
  refusedRows: z.int().default(0),
  unknown: z.record(z.string(), z.int()).default({}),
  rowsOfEpoch: z.int(),
  /** The entry that promoted it. */
  promotion: z.int().optional(),
});

/** A job's `progress.json`. */
export type JobProgress = z.output<typeof progressSchema>;

/** How far a job has reported that it is. @throws MillraceError kind `corrupt` if it is no report */
export function readProgress(
  store: ObjectStore,
  model: string,
  job: string,
): Promise<JobProgress | undefined> {
  return readJsonObject(store, keys.progress(model, job), progressSchema);
}

/**
 * Writes how far a job is into `progress.json`, for people and programs that watch it. Nothing
 * depends on the file: one that is damaged is written again. It never goes back to an earlier
 * slice, since a run that was overtaken may still be reporting.
 *
 * @returns whether the file is at least as new as this report
 */
export async function reportProgress(
  ports: Ports,
  { model, job, dataset }: Pick<JobRecord, 'model' | 'job' | 'dataset'>,
  place: Place,
  sums: DatasetSums & { readonly rowsOfEpoch: number },
): Promise<boolean> {
  const { store, now } = ports;
  const key = keys.progress(model, job);
  const progress = {
    job,
    dataset,
    time: new Date(now()).toISOString(),
    ...sums,
    ...place,
  };
  const body = jsonBody(progress, key);
  const reported = await store.get(key);
  if (reported !== undefined && isOvertaken(reported.body, place)) return true;
  const stays = (current: Uint8Array) =>
    isOvertaken(current, place) || Buffer.from(current).equals(body);
  return (await putOverOlder(ports, key, body, { etag: reported?.etag, stays })) !== undefined;
}

/** A report that is made every so many seconds at most. */
export function throttled<Told extends readonly unknown[]>(
  now: Ports['now'],
  report: (...told: Told) => Promise<unknown>,
): (...told: Told) => Promise<void> {
  let reportedAt = 0;
  return async (...told) => {
    if (now() - reportedAt < limits.progressSeconds * 1_000) return;
    reportedAt = now();
    await report(...told);
  };
}

/**
 * Reports where a slice ended. @throws MillraceError kind `unavailable` if it cannot: the slice
 * must come back
 */
export async function reportSurely(
  ports: Ports,
  job: Pick<JobRecord, 'model' | 'job' | 'dataset'>,
  place: Place,
  sums: DatasetSums,
): Promise<void> {
  if (await reportProgress(ports, job, place, { ...sums, rowsOfEpoch: sums.rows })) return;
  throw unwritten(keys.progress(job.model, job.job));
}

/** The entry that promoted a job, or why its promotion was refused. */
export type EndOfPromotion = { readonly promotion: number } | { readonly refusal: string };

/**
 * Reports what became of the promotion that a job sent. Nothing is written unless the job reports
 * that it waits for that, or that it was refused: another delivery of it may have been faster.
 *
 * @param endOf what became of it, as far as the journal knows; `caughtUp` is an entry before it
 * @throws as `reportSurely()`
 */
export async function reportPromotion(
  ports: Ports,
  { model, job }: Pick<JobRecord, 'model' | 'job'>,
  endOf: (caughtUp: number) => Promise<EndOfPromotion | undefined>,
): Promise<void> {
  const key = keys.progress(model, job);
  const object = await ports.store.get(key);
  const sent = object && parseUndamaged(progressSchema, object.body);
  if (sent?.status !== 'promotion-sent' && sent?.status !== 'kept-champion') return;
  const end = await endOf(sent.caughtUp);
  if (end === undefined) return;
  const mayChange = (status: unknown) =>
    status === 'promotion-sent' || (status === 'kept-champion' && 'promotion' in end);
  if (!mayChange(sent.status)) return;
  // (A refusal that was not the end of it.)
  const isKept = sent.status === 'kept-champion';
  const ended =
    'promotion' in end
      ? { ...sent, ...end, status: 'promoted', reason: isKept ? undefined : sent.reason }
      : { ...sent, status: 'kept-champion', reason: end.refusal };
  const time = new Date(ports.now()).toISOString();
  const body = jsonBody({ ...ended, time }, key);
  const stays = (current: Uint8Array) => !mayChange(statusOf(current));
  if ((await putOverOlder(ports, key, body, { etag: object?.etag, stays })) === undefined)
    throw unwritten(key);
}

function unwritten(key: string): MillraceError {
  return new MillraceError('unavailable', `${key} could not be written`);
}

function statusOf(progress: Uint8Array): JobProgress['status'] | undefined {
  return parseUndamaged(progressSchema, progress)?.status;
}

/**
 * Whether a later slice has reported, or the end of what this one sent; or that it was sent, where
 * this run of it failed.
 */
function isOvertaken(progress: Uint8Array, { slice, status }: Place): boolean {
  const reported = parseUndamaged(reportedSchema, progress);
  if (reported === undefined) return false;
  const isEnd =
    reported.status === 'promoted' ||
    reported.status === 'kept-champion' ||
    (reported.status === 'promotion-sent' && status === 'failed');
  return (
    reported.slice > slice || (reported.slice === slice && isEnd && status !== reported.status)
  );
}

const reportedSchema = progressSchema.pick({ slice: true, status: true }).loose();
