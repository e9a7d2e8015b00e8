import { putOverOlder } from '../bucket/conditional-puts.ts';
import { jsonBody, parseUndamaged } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import { MillraceError } from '../errors.ts';
import type { Ports } from '../ports/ports.ts';
import { type Place, placeSchema } from './lane.ts';
import type { JobRecord } from './record.ts';

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
  { rows, rowsOfEpoch }: { readonly rows: number; readonly rowsOfEpoch: number },
): Promise<boolean> {
  const { store, now } = ports;
  const key = keys.progress(model, job);
  const progress = {
    job,
    dataset,
    time: new Date(now()).toISOString(),
    rows,
    rowsOfEpoch,
    ...place,
  };
  const body = jsonBody(progress, key);
  const reported = await store.get(key);
  if (reported !== undefined && isOvertaken(reported.body, place)) return true;
  const stays = (current: Uint8Array) =>
    isOvertaken(current, place) || Buffer.from(current).equals(body);
  return (await putOverOlder(ports, key, body, { etag: reported?.etag, stays })) !== undefined;
}

/**
 * Reports where a slice ended. @throws MillraceError kind `unavailable` if it cannot: the slice
 * must come back
 */
export async function reportSurely(
  ports: Ports,
  job: Pick<JobRecord, 'model' | 'job' | 'dataset'>,
  place: Place,
  rows: number,
): Promise<void> {
  if (await reportProgress(ports, job, place, { rows, rowsOfEpoch: rows })) return;
  throw new MillraceError(
    'unavailable',
    `${keys.progress(job.model, job.job)} could not be written`,
  );
}

/** Whether a later slice has reported. */
function isOvertaken(progress: Uint8Array, place: Place): boolean {
  return (parseUndamaged(reportedSchema, progress)?.slice ?? 0) > place.slice;
}

const reportedSchema = placeSchema.pick({ slice: true }).loose();
