import type { PreparedDataset } from '../datasets/manifest.ts';
import type { PartsToPrepare } from '../datasets/parts.ts';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { JobMessage } from './job-message.ts';
import { type DatasetSums, firstPlace, type Lane, noSums, type Place } from './lane.ts';
import type { JobRecord } from './record.ts';

/** A slice that runs: what its steps have in common. */
export type Slice = {
  readonly ports: Ports;
  readonly model: Model;
  readonly record: JobRecord;
  /** How many slices came before it. */
  readonly number: number;
  readonly secondsLeft: () => number;
  /** When it began, in milliseconds since 1970. */
  readonly begun: number;
};

/** A lane, and the rows of the dataset that it is trained on. */
export type Advanced = { readonly lane: Lane } & DatasetSums;

/**
 * Whether the parts of a dataset are left to the state machine. It is not asked again where it
 * prepared none of those that were missing: what stopped it will stop a slice, too, and that one
 * says why.
 */
export function mayRunSideBySide({ ports }: Slice, stored: Lane | undefined) {
  const before = stored?.place.parts?.missing ?? Number.POSITIVE_INFINITY;
  return ({ missing }: Pick<PartsToPrepare, 'missing'>) =>
    ports.startParts !== undefined && missing < before;
}

/** The lane of a slice that had no time to train, or left parts of the dataset to others. */
export function unprepared(
  slice: Slice,
  stored: Lane | undefined,
  rows: number,
  parts?: PartsToPrepare,
): Advanced {
  assertMaySlice(slice);
  const place = { ...placeBefore(slice, stored), slice: slice.number + 1, ...(parts && { parts }) };
  const parameters = stored?.parameters ?? slice.model.initial;
  return { lane: { parameters, best: stored?.best, place }, ...noSums, rows };
}

/** Where a job is while its dataset is prepared. */
export function placeBefore({ record }: Slice, stored: Lane | undefined): Place {
  return stored?.place ?? { ...firstPlace(record.sequence), status: 'preparing' };
}

/** A lane whose dataset is prepared. */
export function withoutParts({ place: { parts: _, ...place }, ...lane }: Lane): Lane {
  return { ...lane, place };
}

/** @throws MillraceError kind `invalid` if the job has had all its slices */
export function assertMaySlice({ record, number }: Slice): void {
  if (number >= limits.slicesPerJob)
    throw invalid(`job ${record.job} needs more than ${limits.slicesPerJob} slices`);
}

/** What a prepared dataset came to. */
export function sumsOf({ shardRows, refusedRows, unknown }: PreparedDataset): DatasetSums {
  return { rows: shardRows.reduce((sum, count) => sum + count, 0), refusedRows, unknown };
}

/** The place of a job that fails, which is logged. */
export function failedPlace(
  { log }: Ports,
  { model, job, slice }: Pick<JobMessage, 'model' | 'job' | 'slice'>,
  place: Place,
  reason: string,
): Place {
  log.error('a job failed', { model, job, reason });
  return { ...place, slice: slice + 1, status: 'failed', reason };
}

/** Records in the lane that the job failed, so that no slower run of the slice goes on with it. */
export function failed(
  { ports, model, record, number }: Slice,
  stored: Lane | undefined,
  reason: string,
): Advanced {
  const { parameters, place } = stored ?? {
    parameters: model.initial,
    place: firstPlace(0),
  };
  const job = { model: record.model, job: record.job, slice: number };
  const lane = { parameters, place: failedPlace(ports, job, place, reason) };
  return { lane, ...(stored?.sums ?? noSums) };
}
