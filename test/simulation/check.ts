import { keys } from '../../lib/bucket/keys.ts';
import type { SettledMessage } from '../../lib/commands/header.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { decodeEntry, type Entry } from '../../lib/journal/entry.ts';
import type { Bucket } from '../support/bucket.ts';
import { checkStates } from './check-states.ts';
import type { Cloud } from './cloud.ts';

/** What was sent, by the numbers of the samples. */
export type Expected = {
  /** Valid samples, as they were sent. */
  readonly samples: Map<number, string>;
  /** Samples that cannot be learnt. */
  readonly refusable: Set<number>;
  /** Valid samples without a producer's number that lay in a queue when it was removed. */
  readonly excused: Set<number>;
  /** Valid samples without a producer's number whose sender waits for an answer: sent again, they are others. */
  readonly unanswered: Set<number>;
  /** Those among them whose queue was removed meanwhile. */
  readonly repeatable: Set<number>;
  /** Jobs that were started, `<model>/<job>`. */
  readonly jobs: Set<string>;
};

/** What was wrong after a schedule. */
export type Found = {
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  readonly violations: readonly string[];
};

/** Reasons for which the ledger refuses a valid message, to quarantine: it is neither lost nor learnt twice. */
const ledgerRefusal = /was evicted|gaps in its numbers|already had .* producers/;

/** Holds what is in the bucket after a schedule against what was sent. */
export async function check(
  cloud: Cloud,
  models: readonly string[],
  expected: Expected,
  engine: Engine,
): Promise<Found> {
  const violations: string[] = [];
  const journals = new Map(models.map((model) => [model, journalOf(cloud.bucket, model)]));
  const learntSamples = [...journals.values()].flat().flatMap(({ samples }) => samples);
  const learnt = learntSamples.map(idOf);
  const learntOnce = new Set(learnt);
  const refused = [...journals].flatMap(([model, entries]) =>
    refusedSamples(cloud.bucket, model, entries),
  );
  const inQuarantine = new Map(refused.map(({ id, reason }) => [id, reason]));

  const forgotten = [...expected.refusable].filter(
    (id) => !inQuarantine.has(id) && !expected.excused.has(id),
  );
  const lost = [...expected.samples.keys()].filter(
    (id) =>
      !learntOnce.has(id) &&
      !expected.excused.has(id) &&
      !ledgerRefusal.test(inQuarantine.get(id) ?? ''),
  );
  const doubled = learnt.filter(
    (id, place) => learnt.indexOf(id) !== place && !expected.repeatable.has(id),
  );
  const both = refused.filter(
    ({ id, reason }) => learntOnce.has(id) && !ledgerRefusal.test(reason),
  );
  const strangers = learnt.filter((id) => !expected.samples.has(id));
  const changed = learntSamples.filter((sample) => {
    const sent = expected.samples.get(idOf(sample));
    return sent !== undefined && sent !== JSON.stringify(sample);
  });
  const numbers = (ids: readonly number[]) => ids.join(', ');
  if (forgotten.length > 0) violations.push(`refused and not in quarantine: ${numbers(forgotten)}`);
  if (lost.length > 0) violations.push(`lost: ${numbers(lost)}`);
  if (doubled.length > 0) violations.push(`learnt twice: ${numbers(doubled)}`);
  if (both.length > 0)
    violations.push(`learnt and in quarantine: ${numbers(both.map(({ id }) => id))}`);
  if (strangers.length > 0) violations.push(`learnt and never sent: ${numbers(strangers)}`);
  if (changed.length > 0)
    violations.push(`learnt otherwise than sent: ${numbers(changed.map(idOf))}`);

  let outOfOrder = 0;
  for (const [model, entries] of journals) {
    const disorder = disorderOf(entries, ({ queue, sequenceNumber }) =>
      cloud.everDead.has(`${queue}/${sequenceNumber}`),
    );
    outOfOrder += disorder.length;
    violations.push(...disorder.map((each) => `${model}: ${each}`));
    violations.push(...(await checkStates(cloud, model, entries, engine)));
  }
  for (const job of expected.jobs) {
    const [model = '', id = ''] = job.split('/');
    const progress = cloud.bucket.objects.get(keys.progress(model, id));
    const { status } = JSON.parse(Buffer.from(progress?.body ?? Buffer.from('{}')).toString()) as {
      status?: string;
    };
    const isEnd = ['promotion-sent', 'kept-champion', 'failed'].includes(status ?? '');
    if (!isEnd) violations.push(`job ${job} ends as ${status}`);
    const isSettled =
      isPromoted(journals.get(model) ?? [], id) || isPromotionRefused(cloud.bucket, model, id);
    if (status === 'promotion-sent' && !isSettled) {
      violations.push(`job ${job} is never promoted`);
    }
  }
  const waiting = [cloud.samples, cloud.jobs].flatMap((queue) => queue.messages());
  if (waiting.length > 0) violations.push(`${waiting.length} messages are left in a queue`);
  violations.push(...orphans(cloud.bucket, models, expected));
  return { lost: lost.length, doubled: doubled.length, outOfOrder, violations };
}

/** The number of a sample. */
export function idOf(sample: unknown): number {
  const { features } = (sample ?? {}) as { features?: { id?: number } };
  return features?.id ?? -1;
}

/** All entries of a model's journal. */
export function journalOf({ objects }: Bucket, model: string): readonly Entry[] {
  const entries: Entry[] = [];
  for (let sequence = 1; ; sequence++) {
    const key = keys.entry(model, sequence);
    const object = objects.get(key);
    if (object === undefined) return entries;
    entries.push(decodeEntry(object.body, key));
  }
}

/** What a model's quarantine holds, as far as the entries confirm it: others were overtaken before they committed. */
function refusedSamples(
  bucket: Bucket,
  model: string,
  entries: readonly Entry[],
): readonly { readonly id: number; readonly reason: string }[] {
  return bucket.list(keys.quarantines(model)).flatMap(([, { body }]) => {
    const record = JSON.parse(Buffer.from(body).toString()) as {
      message: string;
      sequence: number;
      body?: string;
      refused: { index: number; reason: string; sample?: unknown }[];
    };
    const settled = entries[record.sequence - 1]?.header.messages.find(
      ({ id }) => id === record.message,
    );
    if (settled?.refused !== record.refused.length) return [];
    const whole =
      record.body === undefined ? [] : (JSON.parse(record.body) as { samples?: unknown[] }).samples;
    return record.refused.flatMap(({ index, reason, sample }) =>
      index < 0
        ? (whole ?? []).map((each) => ({ id: idOf(each), reason }))
        : [{ id: idOf(sample), reason }],
    );
  });
}

/** Learnt messages of one queue whose numbers go back, as sentences; one that was a dead letter may come later. */
export function disorderOf(
  entries: readonly Entry[],
  wasDead: (message: SettledMessage) => boolean,
): readonly string[] {
  const highest = new Map<string, string>();
  return entries.flatMap(({ header }) =>
    header.messages.flatMap((message) => {
      const { id, queue, sequenceNumber, outcome } = message;
      if (outcome === 'rejected' || wasDead(message)) return [];
      const before = highest.get(queue) ?? '';
      if (sequenceNumber > before) {
        highest.set(queue, sequenceNumber);
        return [];
      }
      return [
        `entry ${header.sequence} learns message ${id}, number ${sequenceNumber}, after ${before}`,
      ];
    }),
  );
}

function isPromoted(entries: readonly Entry[], job: string): boolean {
  return entries.some(({ header }) => header.kind === 'promote' && header.job === job);
}

/** A promotion that a retraction or a rollback overtook is in quarantine. */
function isPromotionRefused(bucket: Bucket, model: string, job: string): boolean {
  return bucket.list(keys.quarantines(model)).some(([, { body }]) => {
    const record = JSON.parse(Buffer.from(body).toString()) as {
      body?: string;
      refused: { reason: string }[];
    };
    const isItsOwn = record.body?.includes(`{"promote":{"job":"${job}",`) ?? false;
    return (
      isItsOwn && record.refused.every(({ reason }) => /retracted samples|rolled back/.test(reason))
    );
  });
}

/** Keys that nobody wrote on purpose, or that no documented clean-up removes. */
function orphans(bucket: Bucket, models: readonly string[], { jobs }: Expected): readonly string[] {
  const files = ['job.json', 'lane.safetensors', 'progress.json', 'challenger.safetensors'];
  const known = new Set([
    ...models.flatMap((model) => [keys.spec(model), keys.state(model)]),
    ...models.flatMap((model) =>
      journalOf(bucket, model).map(({ header }) => keys.entry(model, header.sequence)),
    ),
    ...[...jobs].flatMap((job) =>
      files.map((file) => `models/${job.replace('/', '/jobs/')}/${file}`),
    ),
  ]);
  const derived = [
    /^(prepared|datasets)\/[^/]+\/[^/]+$/,
    /^models\/[^/]+\/(quarantine|checkpoints|resends)\/[^/]+$/,
    /^models\/[^/]+\/jobs\/retract-[^/]+\/challenger\.safetensors$/,
  ];
  return [...bucket.objects.keys()]
    .filter((key) => !known.has(key) && !derived.some((pattern) => pattern.test(key)))
    .map((key) => `${key} is an orphan`);
}
