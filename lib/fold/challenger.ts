import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { MillraceError } from '../errors.ts';
import { decodeParameters, digestOf, encodeParameters } from '../state/checkpoint.ts';
import type { Parameters } from '../state/state.ts';
import { fitsModel, type Model } from './model.ts';

/** Weights that want to replace the champion's, and the entry up to which they have learnt the journal. */
export type Challenger = { readonly parameters: Parameters; readonly caughtUp: number };

/**
 * Writes a job's challenger, once: another run of the job may have been faster, and its challenger is as good.
 *
 * @returns the digest of what is there, which the command names
 * @throws MillraceError kind `unavailable` if nobody may have written one
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
export async function challengerDigest(store: ObjectStore, model: string, job: string): Promise<string> {
  const object = await store.get(keys.challenger(model, job));
  if (object === undefined) throw new MillraceError('corrupt', `the challenger of job ${job} is missing`);
  return digestOf(object.body);
}

/** A job's challenger; undefined if the file is not that with the digest, or holds no finite parameters of this model. */
export async function readChallenger(
  store: ObjectStore,
  model: Model,
  job: string,
  digest: string,
): Promise<Challenger | undefined> {
  const object = await store.get(keys.challenger(model.name, job));
  if (object === undefined || digestOf(object.body) !== digest) return undefined;
  const { parameters, extra } = decodeParameters(object.body);
  const caughtUp = Number(extra.caughtUp);
  return fitsModel(model, parameters) && Number.isSafeInteger(caughtUp)
    ? { parameters, caughtUp }
    : undefined;
}
