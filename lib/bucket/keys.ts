import { createHash } from 'node:crypto';
import { invariant } from '../errors.ts';
import { isModelName } from '../spec/names.ts';

/** Sequence numbers are written with this many digits, so that keys sort as numbers do. */
const digits = 12;

/**
 * Every key of the bucket is built here, from validated names and numbers alone, and parsed here.
 */
export const keys = {
  models: 'models/',
  datasets: 'datasets/',
  /** What a model was asked under an id, which may be any text. */
  asked: (model: string, id: string) =>
    `asked/${checked(model)}/${createHash('sha256').update(id).digest('hex')}.json`,
  allAsked: (model: string) => `asked/${checked(model)}/`,
  /** Whose labels are waited for until a time, in folders of an hour each. */
  due: (model: string, { time, name }: { readonly time: number; readonly name: string }) =>
    `${keys.dueWithin(model, hourOf(time))}${milliseconds(time)}-${checked(name)}.json`,
  dueModels: 'due/',
  allDue: (model: string) => `due/${checked(model)}/`,
  /** @param hour as {@link hourOf} writes it */
  dueWithin: (model: string, hour: string) => `due/${checked(model)}/${hour}/`,
  /** All objects of a model are below it. */
  model: (model: string) => `${ofModel(model)}/`,
  jobs: (model: string) => `${ofModel(model)}/jobs/`,
  spec: (model: string) => `${ofModel(model)}/spec.json`,
  /** A spec that a model got later, by its hash. */
  laterSpec: (model: string, hash: string) => `${ofModel(model)}/specs/${checkedHash(hash)}.json`,
  laterSpecs: (model: string) => `${ofModel(model)}/specs/`,
  state: (model: string) => `${ofModel(model)}/state.safetensors`,
  entry: (model: string, sequence: number) => `${ofModel(model)}/journal/${padded(sequence)}`,
  journal: (model: string) => `${ofModel(model)}/journal/`,
  /** Entries joined into one object. */
  segment: (model: string, { first, last }: { readonly first: number; readonly last: number }) =>
    `${ofModel(model)}/segments/${padded(first)}-${padded(last)}`,
  segments: (model: string) => `${ofModel(model)}/segments/`,
  /** What the keys begin with of segments whose first entries are in a row; and of others, too. */
  segmentsWithin: (
    model: string,
    { first, last }: { readonly first: number; readonly last: number },
  ) => `${ofModel(model)}/segments/${commonStart(padded(first), padded(last))}`,
  /** What the keys of some entries in a row begin with; those of some others may, too. */
  entriesWithin: (
    model: string,
    { first, last }: { readonly first: number; readonly last: number },
  ) => `${ofModel(model)}/journal/${commonStart(padded(first), padded(last))}`,
  checkpoint: (model: string, sequence: number) =>
    `${ofModel(model)}/checkpoints/${padded(sequence)}.safetensors`,
  checkpoints: (model: string) => `${ofModel(model)}/checkpoints/`,
  /** `message` is an SQS message id (a UUID) or a job's id. */
  quarantine: (model: string, message: string) =>
    `${ofModel(model)}/quarantine/${checked(message)}.json`,
  quarantines: (model: string) => `${ofModel(model)}/quarantine/`,
  /** Which refused messages and dead letters are sent again, with which numbers. */
  resend: (model: string, number: number) => `${ofModel(model)}/resends/${padded(number)}.json`,
  job: (model: string, job: string) => `${ofModel(model)}/jobs/${checked(job)}/job.json`,
  lane: (model: string, job: string) => `${ofModel(model)}/jobs/${checked(job)}/lane.safetensors`,
  progress: (model: string, job: string) => `${ofModel(model)}/jobs/${checked(job)}/progress.json`,
  challenger: (model: string, job: string) =>
    `${ofModel(model)}/jobs/${checked(job)}/challenger.safetensors`,
  /** A challenger on its way to the end of the journal; derived, safe to delete. */
  caughtUp: (model: string, job: string) =>
    `${ofModel(model)}/caught-up/${checked(job)}.safetensors`,
  dataset: (name: string) => `datasets/${checked(name)}/`,
  /** Weights that models start from, by the digest of the file. */
  initialWeights: (digest: string) => `initial-weights/${checkedHash(digest)}.safetensors`,
  compiled: (hash: string) => `compiled/${checkedHash(hash)}`,
  /** Of a journal that is verified side by side: what each stretch came to; safe to delete. */
  verified: (model: string, run: string, file: string) => `${keys.allVerified(model, run)}${file}`,
  allVerified: (model: string, run: string) => `verified/${checked(model)}/${checked(run)}/`,
  /** Of specs that are tried side by side: each in a folder of its own; safe to delete. */
  allTrials: (model: string, run: string) => `trials/${checked(model)}/${checked(run)}/`,
  allPrepared: 'prepared/',
  prepared: (hash: string, file: string) => `prepared/${checked(hash)}/${file}`,
};

/** The hour of a time in milliseconds since 1970, so that texts sort as times do. */
export function hourOf(time: number): string {
  return new Date(time).toISOString().slice(0, 13);
}

/** The time of a key of {@link keys.due}, in milliseconds since 1970; undefined for any other. */
export function timeOfDue(key: string): number | undefined {
  const digitsOfKey = /^due\/[a-z0-9-]+\/[^/]+\/(\d{15})-[^/]+\.json$/.exec(key)?.[1];
  return digitsOfKey === undefined ? undefined : Number(digitsOfKey);
}

/** The sequence number of a journal entry's key, or undefined for any other key. */
export function sequenceOfEntry(key: string): number | undefined {
  const digitsOfKey = /^models\/[a-z0-9-]+\/journal\/(\d{12})$/.exec(key)?.[1];
  return digitsOfKey === undefined ? undefined : Number(digitsOfKey);
}

/** The first and the last entry of a segment's key, or undefined for any other key. */
export function segmentOfKey(key: string): { first: number; last: number } | undefined {
  const [, first, last] = /^models\/[a-z0-9-]+\/segments\/(\d{12})-(\d{12})$/.exec(key) ?? [];
  const segment = { first: Number(first), last: Number(last) };
  return segment.first >= 1 && segment.first <= segment.last ? segment : undefined;
}

/** The sequence number of a kept checkpoint's key, or undefined for any other key. */
export function sequenceOfCheckpoint(key: string): number | undefined {
  const digitsOfKey = /^models\/[a-z0-9-]+\/checkpoints\/(\d{12})\.safetensors$/.exec(key)?.[1];
  return digitsOfKey === undefined ? undefined : Number(digitsOfKey);
}

/** The hash of a later spec's key, or undefined for any other key. */
export function hashOfLaterSpec(key: string): string | undefined {
  return /^models\/[a-z0-9-]+\/specs\/([0-9a-f]{64})\.json$/.exec(key)?.[1];
}

function ofModel(model: string): string {
  return `models/${checked(model)}`;
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}

function checked(name: string): string {
  invariant(isModelName(name), `${JSON.stringify(name)} cannot be part of a key`);
  return name;
}

function checkedHash(hash: string): string {
  invariant(/^[0-9a-f]{64}$/.test(hash), `${JSON.stringify(hash)} is no hash`);
  return hash;
}

function milliseconds(time: number): string {
  return String(Math.trunc(time)).padStart(15, '0');
}

function padded(sequence: number): string {
  invariant(
    Number.isSafeInteger(sequence) && sequence >= 1 && sequence < 10 ** digits,
    `${sequence} is no sequence number`,
  );
  return String(sequence).padStart(digits, '0');
}
