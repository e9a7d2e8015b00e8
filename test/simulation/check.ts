import { keys } from '../../lib/bucket/keys.ts';
import type { SettledMessage } from '../../lib/commands/header.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { allOf, decodeEntry, type Entry } from '../../lib/journal/entry.ts';
import type { RefusalCode } from '../../lib/refusal.ts';
import type { Bucket } from '../support/bucket.ts';
import type { Question } from './askers.ts';
import { checkQuestions } from './check-questions.ts';
import { checkStates } from './check-states.ts';
import type { Cloud } from './cloud.ts';
import { intruder } from './intruder.ts';
import { refusedSamples } from './refused-samples.ts';

/** What was sent, by the numbers of the samples. */
export type Expected = {
  /** Valid samples, as they were sent. */
  readonly samples: Map<number, string>;
  /** Samples that cannot be learnt. */
  readonly refusable: Set<number>;
  /** Valid samples without a producer's number that lay in a queue when it was removed. */
  readonly excused: Set<number>;
  /**
   * Valid samples without a producer's number whose sender waits for an answer: sent again, they
   * are others.
   */
  readonly unanswered: Set<number>;
  /** Those among them whose queue was removed meanwhile. */
  readonly repeatable: Set<number>;
  /** Jobs that were started, `<model>/<job>`. */
  readonly jobs: Set<string>;
  /** What was asked under ids. */
  readonly questions: readonly Question[];
};

/** What was wrong after a schedule. */
export type Found = {
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  readonly violations: readonly string[];
};

/**
 * Codes with which the ledger refuses a valid message, to quarantine: it is neither lost nor learnt
 * twice.
 */
const ledgerRefusals: ReadonlySet<string> = new Set<RefusalCode>([
  'producer-evicted',
  'too-many-producers',
  'too-many-gaps',
  'number-reused',
  'number-too-old',
]);

/** Codes of promotions that a retraction, a rollback or another spec overtook. */
const overtaken: ReadonlySet<string> = new Set<RefusalCode>([
  'retracted-since',
  'rolled-back-since',
  'spec-changed-since',
]);

/** Holds what is in the bucket after a schedule against what was sent. */
export async function check(
  cloud: Cloud,
  models: readonly string[],
  expected: Expected,
  engine: Engine,
): Promise<Found> {
  const journals = new Map(models.map((model) => [model, journalOf(cloud.bucket, model)]));
  const { lost, doubled, violations } = checkSamples(cloud.bucket, journals, expected);
  let outOfOrder = 0;
  for (const [model, entries] of journals) {
    const disorder = disorderOf(entries, ({ queue, sequenceNumber }) =>
      cloud.everDead.has(`${queue}/${sequenceNumber}`),
    );
    outOfOrder += disorder.length;
    violations.push(...disorder.map((each) => `${model}: ${each}`));
    violations.push(...(await checkStates(cloud, model, entries, engine)));
  }
  violations.push(...checkQuestions(cloud.bucket, journals, expected.questions));
  violations.push(...checkJobs(cloud.bucket, journals, expected));
  violations.push(...intrusionsIn(journals));
  const waiting = [cloud.samples, cloud.jobs].flatMap((queue) => queue.messages());
  if (waiting.length > 0) violations.push(`${waiting.length} messages are left in a queue`);
  violations.push(...orphans(cloud.bucket, journals, expected));
  return { lost, doubled, outOfOrder, violations };
}

/** Commands that somebody gave who may only send samples. */
function intrusionsIn(journals: Journals): readonly string[] {
  return [...journals].flatMap(([model, entries]) =>
    entries
      .filter(({ header }) => header.messages.some(({ producer }) => producer === intruder))
      .map(({ header }) => `${model}: entry ${header.sequence} is an intruder's ${header.kind}`),
  );
}

type Journals = ReadonlyMap<string, readonly Entry[]>;

/** Each valid sample is learnt once, as it was sent; each other is in quarantine. */
function checkSamples(bucket: Bucket, journals: Journals, expected: Expected) {
  const all = [...journals.values()].flat().flatMap(({ samples }) => allOf(samples));
  const learntSamples = all.filter((sample) => !isOfQuestion(sample));
  const learnt = learntSamples.map(idOf);
  const learntOnce = new Set(learnt);
  const refused = [...journals].flatMap(([model, entries]) =>
    refusedSamples(bucket, model, entries).map(({ sample, code }) => ({ id: idOf(sample), code })),
  );
  const codes = new Map(refused.map(({ id, code }) => [id, code]));
  const wasRefusedByLedger = (id: number) => ledgerRefusals.has(codes.get(id) ?? '');
  const isExcused = (id: number) => expected.excused.has(id);
  const found = {
    'refused and not in quarantine': [...expected.refusable].filter(
      (id) => !codes.has(id) && !isExcused(id),
    ),
    lost: [...expected.samples.keys()].filter(
      (id) => !learntOnce.has(id) && !isExcused(id) && !wasRefusedByLedger(id),
    ),
    'learnt twice': learnt.filter(
      (id, place) => learnt.indexOf(id) !== place && !expected.repeatable.has(id),
    ),
    'learnt and in quarantine': refused
      .filter(({ id, code }) => learntOnce.has(id) && !ledgerRefusals.has(code))
      .map(({ id }) => id),
    'learnt and never sent': learnt.filter((id) => !expected.samples.has(id)),
    'learnt otherwise than sent': learntSamples
      .filter((sample) => {
        const sent = expected.samples.get(idOf(sample));
        return sent !== undefined && sent !== JSON.stringify(sample);
      })
      .map(idOf),
  };
  const violations = Object.entries(found).flatMap(([what, ids]) =>
    ids.length > 0 ? [`${what}: ${ids.join(', ')}`] : [],
  );
  return { lost: found.lost.length, doubled: found['learnt twice'].length, violations };
}

/** Each job has ended, and its promotion, if it sent one, is settled. */
function checkJobs(bucket: Bucket, journals: Journals, { jobs }: Expected): readonly string[] {
  return [...jobs].flatMap((job) => {
    const [model = '', id = ''] = job.split('/');
    const progress = bucket.objects.get(keys.progress(model, id));
    const { status } = JSON.parse(Buffer.from(progress?.body ?? Buffer.from('{}')).toString()) as {
      status?: string;
    };
    const wasPromoted = isPromoted(journals.get(model) ?? [], id);
    const wasRefused = isPromotionRefused(bucket, model, id);
    const isRight =
      (status === 'promoted' && wasPromoted) ||
      (status === 'kept-champion' && !wasPromoted) ||
      (status === 'failed' && !wasPromoted && !wasRefused);
    return isRight ? [] : [`job ${job} ends as ${status}`];
  });
}

/** Whether a sample was asked under an id: see `check-questions.ts`. */
function isOfQuestion(sample: unknown): boolean {
  return (sample as { id?: unknown }).id !== undefined;
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

/**
 * Learnt messages of one queue whose numbers go back, as sentences; one that was a dead letter may
 * come later.
 */
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
      refused: { code: string }[];
    };
    const isItsOwn = record.body?.includes(`{"promote":{"job":"${job}",`) ?? false;
    return isItsOwn && record.refused.every(({ code }) => overtaken.has(code));
  });
}

/** Keys that nobody wrote on purpose, or that no documented clean-up removes. */
function orphans(
  bucket: Bucket,
  journals: ReadonlyMap<string, readonly Entry[]>,
  { jobs }: Expected,
): readonly string[] {
  const files = ['job.json', 'lane.safetensors', 'progress.json', 'challenger.safetensors'];
  const known = new Set([
    ...[...journals.keys()].flatMap((model) => [keys.spec(model), keys.state(model)]),
    ...[...journals].flatMap(([model, entries]) =>
      entries.map(({ header }) => keys.entry(model, header.sequence)),
    ),
    ...[...jobs].flatMap((job) =>
      files.map((file) => `models/${job.replace('/', '/jobs/')}/${file}`),
    ),
  ]);
  const derived = [
    /^(prepared|datasets|asked)\/[^/]+\/[^/]+$/,
    /^models\/[^/]+\/(quarantine|checkpoints|resends|caught-up)\/[^/]+$/,
    /^models\/[^/]+\/specs\/[0-9a-f]{64}\.json$/,
    /^models\/[^/]+\/jobs\/(retract|spec)-[^/]+\/challenger\.safetensors$/,
  ];
  return [...bucket.objects.keys()]
    .filter((key) => !known.has(key) && !derived.some((pattern) => pattern.test(key)))
    .map((key) => `${key} is an orphan`);
}
