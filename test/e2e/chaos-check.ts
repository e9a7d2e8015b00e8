import { keys } from '../../lib/bucket/keys.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import type { Entry } from '../../lib/journal/entry.ts';
import { existingModel } from '../../lib/model/model.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { State } from '../../lib/state/state.ts';
import { disorderOf, journalOf } from '../simulation/check.ts';
import { learnAgain, unlearnt } from '../simulation/check-states.ts';
import { type Bucket, createBucket } from '../support/bucket.ts';

/** What was sent to a model. */
export type Sent = {
  /** The last number of each producer; it counts from 1. */
  readonly messages: Map<string, number>;
  samples: number;
  readonly jobs: string[];
};

/** What became of it. */
export type Compared = {
  readonly messages: number;
  readonly jobs: number;
  readonly promotions: number;
  readonly rollbacks: number;
  readonly retractions: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  readonly problems: readonly string[];
};

/** How far a model is: all is done once it has learnt everything and its jobs have ended. */
export async function statusOf(ports: Ports, model: string, { samples, jobs }: Sent) {
  const learnt = (await publishedState(ports, model))?.learnt ?? 0;
  const statuses = await Promise.all(jobs.map((job) => jobStatus(ports, model, job)));
  const promoted = jobs.filter((_, i) => statuses[i] === 'promoted');
  const hasEnded =
    learnt === samples &&
    statuses.every((status) => ['promoted', 'kept-champion', noRows].includes(status));
  const entries =
    hasEnded && promoted.length > 0 ? journalOf(await download(ports, model), model) : [];
  return {
    learnt,
    statuses,
    isDone: hasEnded && promoted.every((job) => isPromoted(entries, job)),
  };
}

/**
 * Holds what a model has learnt against what was sent, and its weights against the same messages
 * undisturbed.
 *
 * @param deadLetters ids of messages that ever were dead letters: those alone may be learnt after
 *   later ones
 */
export async function compareModel(
  ports: Ports,
  name: string,
  sent: Sent,
  deadLetters: ReadonlySet<string>,
): Promise<Compared> {
  const bucket = await download(ports, name);
  const entries = journalOf(bucket, name);
  const numbers = entries.flatMap(({ header }) =>
    header.messages
      .filter(({ outcome, samples }) => outcome === 'learnt' && samples > 0)
      .map(({ producer, seq }) => `${producer}:${seq}`),
  );
  const expected = [...sent.messages].flatMap(([producer, last]) =>
    Array.from({ length: last }, (_, i) => `${producer}:${i + 1}`),
  );
  const known = new Set(numbers);
  const { learnt, statuses, isDone } = await statusOf(ports, name, sent);
  const disorder = disorderOf(entries, ({ id }) => deadLetters.has(id));
  const problems = disorder.map((each) => `${name}: ${each}`);
  if (learnt !== sent.samples)
    problems.push(`${name}: ${sent.samples} samples were sent, ${learnt} are learnt`);
  else if (!isDone) problems.push(`${name}: its jobs ended as ${statuses.join(', ')}`);
  problems.push(...(await compareWeights(ports, bucket, name, entries)));
  return {
    messages: expected.length,
    jobs: sent.jobs.length,
    rollbacks: entries.filter(({ header }) => header.kind === 'rollback').length,
    retractions: entries.filter(({ header }) => header.kind === 'retract').length,
    promotions: sent.jobs.filter((job) => isPromoted(entries, job)).length,
    lost: expected.filter((each) => !known.has(each)).length,
    doubled: numbers.length - known.size,
    outOfOrder: disorder.length,
    problems,
  };
}

async function compareWeights(
  ports: Ports,
  bucket: Bucket,
  name: string,
  entries: readonly Entry[],
): Promise<readonly string[]> {
  const model = await existingModel(ports, name);
  const problems: string[] = [];
  const { isSame } = await verifyModel(ports, model, true);
  if (!isSame) problems.push(`${name}: the published state is not the fold of its journal`);
  // Where weights came from elsewhere than the stream, its messages alone cannot give them.
  const without = unlearnt(entries);
  if (without === undefined) return problems;
  const alone = await learnAgain(bucket, model, entries, {
    engine: createEngine({ threads: 1, warn: () => undefined }),
    messagesAtOnce: 1,
    without,
  });
  const tensors = (await publishedState(ports, name))?.tensors ?? {};
  const isEqual = Object.entries(alone.tensors).every(([tensor, { data }]) =>
    data.every((value, i) => Object.is(value, tensors[tensor]?.data[i])),
  );
  if (!isEqual) problems.push(`${name}: the same messages, learnt one by one, give other weights`);
  return problems;
}

function isPromoted(entries: readonly Entry[], job: string): boolean {
  return entries.some(({ header }) => header.kind === 'promote' && header.job === job);
}

/** A job over the journal that began before anything was learnt: it has nothing to learn. */
const noRows = 'failed: no rows';

async function jobStatus({ store }: Ports, model: string, job: string): Promise<string> {
  const progress = await store.get(keys.progress(model, job));
  const { status = 'not started', reason = '' } = JSON.parse(
    Buffer.from(progress?.body ?? Buffer.from('{}')).toString(),
  ) as {
    status?: string;
    reason?: string;
  };
  return status === 'failed' && reason.includes('it has no rows') ? noRows : status;
}

async function publishedState({ store }: Ports, model: string): Promise<State | undefined> {
  const object = await store.get(keys.state(model));
  return object && decodeCheckpoint(object.body);
}

/** A model's objects. */
async function download({ store }: Ports, model: string): Promise<Bucket> {
  const bucket = createBucket();
  for (const { key } of await store.list(`models/${model}/`)) {
    const object = await store.get(key);
    if (object !== undefined) bucket.put(key, object.body);
  }
  return bucket;
}
