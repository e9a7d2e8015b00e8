import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { jsonBody, readJsonObject } from '../bucket/json-objects.ts';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { pinnedObject } from '../datasets/byte-source.ts';
import { pinObjects } from '../datasets/pin-objects.ts';
import { MillraceError } from '../errors.ts';
import type { Ports } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import type { State } from '../state/state.ts';
import type { JobMessage } from './job-message.ts';

const recordSchema = z.strictObject({
  job: z.string(),
  model: z.string(),
  spec: z.string(),
  dataset: z.string(),
  /** Which of its files, where the job names some. */
  files: z.string().optional(),
  start: z.enum(['champion', 'fresh']),
  /** The exact objects that the job reads; empty for the journal. */
  objects: z.array(pinnedObject),
  /** The journal position that the job starts from. */
  sequence: z.int().nonnegative(),
  time: z.string(),
});

/** What a job is: written once, create-only, so that a doubled start joins it. */
export type JobRecord = z.output<typeof recordSchema>;

/** The record of a job; undefined if there is none. @throws MillraceError kind `corrupt` */
export function readJob(
  store: ObjectStore,
  model: string,
  job: string,
): Promise<JobRecord | undefined> {
  return readJsonObject(store, keys.job(model, job), recordSchema);
}

/** A job that may run, or why it may not. */
export type Opened =
  | { readonly ok: true; readonly record: JobRecord }
  | Refused<'bad-dataset' | 'job-exists'>;

/**
 * The record of a job: the existing one, or a new one that pins the dataset's objects, the model's
 * spec and the journal position.
 *
 * @returns refused if the dataset is missing or too large, or the job exists with other settings
 */
export async function openJob(
  ports: Ports,
  message: JobMessage,
  current: () => Promise<Pick<State, 'sequence' | 'specHash'> & { readonly spec: Spec }>,
): Promise<Opened> {
  const { model } = message;
  const key = keys.job(model, message.job);
  const existing = await readJob(ports.store, model, message.job);
  if (existing !== undefined) return joined(existing, message);
  // What it pinned cannot be pinned again: the stream has gone on.
  if (message.slice > 0)
    return refuse('bad-dataset', `${key} is gone, and what job ${message.job} began with is in it`);
  const { dataset, files } = message;
  const { sequence, specHash, spec } = await current();
  const pinned = await pinObjects(ports.store, message, spec);
  if (!pinned.ok) return pinned;
  const record: JobRecord = {
    job: message.job,
    model,
    spec: specHash,
    dataset,
    ...(files === undefined ? {} : { files }),
    start: message.start,
    objects: [...pinned.objects],
    sequence,
    time: new Date(ports.now()).toISOString(),
  };
  await putUntilAnswered(ports, key, jsonBody(record, key), { ifNoneMatch: '*' });
  const written = await readJob(ports.store, model, message.job);
  if (written === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  return joined(written, message);
}

function joined(record: JobRecord, message: JobMessage): Opened {
  const isSame =
    record.dataset === message.dataset &&
    record.files === message.files &&
    record.start === message.start;
  if (!isSame) {
    const files = record.files === undefined ? '' : ` (${record.files})`;
    const reason =
      `job ${message.job} exists with dataset ${record.dataset}${files} and start ` +
      `${record.start}; choose a different id`;
    return refuse('job-exists', reason);
  }
  return { ok: true, record };
}
