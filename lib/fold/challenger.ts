import * as z from 'zod';
import { putUntilAnswered } from '../bucket/conditional-puts.ts';
import { keys } from '../bucket/keys.ts';
import type { BucketPorts, ObjectStore } from '../bucket/object-store.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { CaughtUp, ChallengerFile } from '../commands/command.ts';
import { isReplacing } from '../commands/commands.ts';
import { isOfKind, MillraceError, outOfTime, reasonIf } from '../errors.ts';
import { existingEntry, readEntry } from '../journal/reading.ts';
import { fitsModel, type Model, type ModelPorts } from '../model/model.ts';
import type { Log } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import { decodeParameters, encodeParameters } from '../state/checkpoint-file.ts';
import { catchUp, type ForwardBounds, type Trained } from './catch-up.ts';

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
 * A job's challenger; undefined if there is no file with the digest.
 */
export async function readChallenger(
  store: ObjectStore,
  { name }: Pick<Model, 'name'>,
  { job, digest }: ChallengerFile,
): Promise<Challenger | undefined> {
  const object = await store.get(keys.challenger(name, job));
  if (object === undefined || digestOf(object.body) !== digest) return undefined;
  const { parameters, extra } = decodeParameters(object.body);
  const caughtUp = Number(extra.caughtUp);
  return Number.isSafeInteger(caughtUp) ? { parameters, caughtUp } : undefined;
}

/**
 * A job's weights, caught up with the stream to an entry. If they cannot be used, that is an answer
 * and no error: it must not stop the stream.
 *
 * @throws MillraceError kind `unavailable` with the code `out-of-time` if `shouldStop` said so: the
 *   weights that were reached are stored, and the next attempt goes on from there
 */
export async function caughtUpChallenger(
  ports: CatchUpPorts,
  model: Model,
  file: ChallengerFile,
  { to, shouldStop }: ForwardBounds & { readonly to: number },
): Promise<CaughtUp | Refused> {
  const { job, digest } = file;
  const challenger = await readChallenger(ports.store, model, file).catch(reasonIf('corrupt'));
  if (typeof challenger === 'string') return refuse('no-challenger', challenger);
  if (challenger === undefined) {
    const reason = `job ${job} has no challenger of this model with the digest ${digest}`;
    return refuse('no-challenger', reason);
  }
  if (!fitsModel(model, challenger.parameters)) {
    const reason =
      `the challenger of job ${job} does not fit the spec that holds: it was begun with another, ` +
      'or its weights are not finite; start again';
    return refuse('no-challenger', reason);
  }
  if (challenger.caughtUp > to) {
    return refuse('no-challenger', `the challenger of job ${job} is ahead of the journal`);
  }
  const bounds = { from: challenger.caughtUp, to };
  const onItsWay = await readOnItsWay(ports, model, file, bounds);
  const start = onItsWay ?? { ...challenger, passedOver: [] };
  const reached = await catchUp(ports, model, start, { to, shouldStop });
  if (!reached.ok) return reached;
  const current = { ...reached, passedOver: [...start.passedOver, ...reached.passedOver] };
  if (reached.caughtUp === to) return { ...current, caughtUp: challenger.caughtUp };
  // Where it cannot be stored (whoever verifies may not), it is caught up with again.
  if (reached.caughtUp > start.caughtUp)
    await writeOnItsWay(ports, model, file, current).catch((error: unknown) => {
      if (!isOfKind(error, 'unavailable')) throw error;
    });
  throw outOfTime(`job ${job} catches up with entry ${to} (${reached.caughtUp} is reached)`);
}

/** What catching up reads, and where it stores what it reached. */
export type CatchUpPorts = ModelPorts & { readonly log: Log; readonly now: () => number };

type OnItsWay = Omit<CaughtUp, 'ok'>;

const onItsWaySchema = z.object({
  /** The digest of the file that it began with. */
  began: z.string(),
  /** The arithmetic that brought it on its way; absent in files of before 0.6. */
  arithmetic: z.string().optional(),
  nonce: z.string(),
  caughtUp: z.coerce.number().pipe(z.int()),
  passedOver: z.string(),
});

/**
 * A challenger that an earlier invocation brought on its way, if it is that of this file and of
 * this journal. It is only a cache: anything else is passed over.
 */
async function readOnItsWay(
  { store, log }: CatchUpPorts,
  model: Model,
  { job, digest }: ChallengerFile,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<OnItsWay | undefined> {
  const key = keys.caughtUp(model.name, job);
  const object = await store.get(key);
  if (object === undefined) return undefined;
  try {
    const { parameters, extra } = decodeParameters(object.body);
    const stored = onItsWaySchema.parse(extra);
    const { caughtUp, nonce } = stored;
    const entry =
      caughtUp > from && caughtUp <= to ? await readEntry(store, model.name, caughtUp) : undefined;
    const isOwn = stored.began === digest && stored.arithmetic === model.compiled.engine;
    if (!isOwn || entry?.header.nonce !== nonce || !fitsModel(model, parameters)) return undefined;
    const passedOver = z.array(z.int()).parse(JSON.parse(stored.passedOver));
    const headers = await Promise.all(
      passedOver.map(async (sequence) => (await existingEntry(store, model.name, sequence)).header),
    );
    return { parameters, caughtUp, passedOver: headers.filter(isReplacing) };
  } catch (error) {
    if (isOfKind(error, 'unavailable')) throw error;
    log.warn('a stored challenger is passed over', { key, reason: String(error) });
    return undefined;
  }
}

async function writeOnItsWay(
  { store }: CatchUpPorts,
  { name, compiled }: Model,
  { job, digest }: ChallengerFile,
  { parameters, caughtUp, passedOver }: OnItsWay,
): Promise<void> {
  const { header } = await existingEntry(store, name, caughtUp);
  const sequences = passedOver.map(({ sequence }) => sequence);
  const body = encodeParameters(parameters, {
    began: digest,
    arithmetic: compiled.engine,
    nonce: header.nonce,
    caughtUp: String(caughtUp),
    passedOver: JSON.stringify(sequences),
  });
  await store.put(keys.caughtUp(name, job), body);
}
