import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { CaughtUp, ChallengerFile } from '../commands/command.ts';
import { MillraceError, reasonIf } from '../errors.ts';
import { fitsModel, type Model } from '../model/model.ts';
import { type Refused, refuse } from '../refusal.ts';
import { decodeParameters, encodeParameters } from '../state/checkpoint-file.ts';
import { catchUp, type Trained } from './catch-up.ts';

/** Weights that want to replace the champion's. */
export type Challenger = Trained;

/**
 * Writes a job's challenger, once. If a different run of the job was faster, its challenger is as
 * good.
 *
 * @returns the digest of the stored file, which the command names
 * @throws MillraceError kind `unavailable` if it is unknown whether there is one
 */
export async function writeChallenger(
  ports: BucketPorts,
  { name }: Pick<Model, 'name'>,
  job: string,
  { parameters, caughtUp }: Challenger,
): Promise<string> {
  const key = keys.challenger(name, job);
  const body = encodeParameters(parameters, { job, caughtUp: String(caughtUp) });
  const outcome = await putUntilAnswered(ports, key, body, { ifNoneMatch: '*' });
  if (outcome === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  return challengerDigest(ports.store, name, job);
}

/** The digest of a job's challenger. @throws MillraceError kind `corrupt` if there is none */
export async function challengerDigest(
  store: ObjectStore,
  model: string,
  job: string,
): Promise<string> {
  const object = await store.get(keys.challenger(model, job));
  if (object === undefined)
    throw new MillraceError('corrupt', `the challenger of job ${job} is missing`);
  return digestOf(object.body);
}

/**
 * A job's challenger; undefined if there is no file with the digest that holds finite parameters of
 * this model.
 */
export async function readChallenger(
  store: ObjectStore,
  model: Model,
  { job, digest }: ChallengerFile,
): Promise<Challenger | undefined> {
  const object = await store.get(keys.challenger(model.name, job));
  if (object === undefined || digestOf(object.body) !== digest) return undefined;
  const { parameters, extra } = decodeParameters(object.body);
  const caughtUp = Number(extra.caughtUp);
  return fitsModel(model, parameters) && Number.isSafeInteger(caughtUp)
    ? { parameters, caughtUp }
    : undefined;
}

/**
 * A job's weights, caught up with the stream to an entry. If they cannot be used, that is an answer
 * and no error: it must not stop the stream.
 */
export async function caughtUpChallenger(
  { store }: { readonly store: ObjectStore },
  model: Model,
  file: ChallengerFile,
  to: number,
): Promise<CaughtUp | Refused> {
  const { job, digest } = file;
  const challenger = await readChallenger(store, model, file).catch(reasonIf('corrupt'));
  if (typeof challenger === 'string') return refuse('no-challenger', challenger);
  if (challenger === undefined) {
    const reason = `job ${job} has no challenger of this model with the digest ${digest}`;
    return refuse('no-challenger', reason);
  }
  if (challenger.caughtUp > to) {
    return refuse('no-challenger', `the challenger of job ${job} is ahead of the journal`);
  }
  const current = await catchUp({ store }, model, challenger, { to });
  return current.ok ? { ...current, caughtUp: challenger.caughtUp } : current;
}
