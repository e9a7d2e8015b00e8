import type { Engine } from '../../lib/engine/engine.ts';
import { decodeParameters, encodeCheckpoint } from '../../lib/journal/checkpoint.ts';
import { decodeEntry, type Entry } from '../../lib/journal/entry.ts';
import { keys } from '../../lib/journal/keys.ts';
import type { State } from '../../lib/journal/state.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { readForward } from '../../lib/training/fold.ts';
import { parseMessage } from '../../lib/training/messages.ts';
import { initialState, loadCheckpoint, loadModel, type Model } from '../../lib/training/model.ts';
import { updateModel } from '../../lib/training/online-update.ts';
import { type Bucket, createBucket } from './bucket.ts';
import type { Cloud } from './cloud.ts';
import { storeOver } from './memory-store.ts';

/** What was sent, by the numbers of the samples. */
export type Expected = {
  /** Valid samples. */
  readonly samples: Set<number>;
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
  const learnt = [...journals.values()].flatMap((entries) =>
    entries.flatMap(({ samples }) => samples.map(idOf)),
  );
  const learntOnce = new Set(learnt);
  const refused = refusedSamples(cloud.bucket);
  const inQuarantine = new Map(refused.map(({ id, reason }) => [id, reason]));

  const forgotten = [...expected.refusable].filter(
    (id) => !inQuarantine.has(id) && !expected.excused.has(id),
  );
  const lost = [...expected.samples].filter(
    (id) =>
      !learntOnce.has(id) && !expected.excused.has(id) && !ledgerRefusal.test(inQuarantine.get(id) ?? ''),
  );
  const doubled = learnt.filter((id, place) => learnt.indexOf(id) !== place && !expected.repeatable.has(id));
  const both = refused.filter(({ id, reason }) => learntOnce.has(id) && !ledgerRefusal.test(reason));
  const strangers = learnt.filter((id) => !expected.samples.has(id));
  const numbers = (ids: readonly number[]) => ids.join(', ');
  if (forgotten.length > 0) violations.push(`refused and not in quarantine: ${numbers(forgotten)}`);
  if (lost.length > 0) violations.push(`lost: ${numbers(lost)}`);
  if (doubled.length > 0) violations.push(`learnt twice: ${numbers(doubled)}`);
  if (both.length > 0) violations.push(`learnt and in quarantine: ${numbers(both.map(({ id }) => id))}`);
  if (strangers.length > 0) violations.push(`learnt and never sent: ${numbers(strangers)}`);

  let outOfOrder = 0;
  for (const [model, entries] of journals) {
    const disorder = countDisorder(entries, cloud);
    outOfOrder += disorder;
    if (disorder > 0) violations.push(`${model}: ${disorder} messages out of order`);
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

function refusedSamples(bucket: Bucket): readonly { readonly id: number; readonly reason: string }[] {
  return bucket
    .list('models/')
    .filter(([key]) => key.includes('/quarantine/'))
    .flatMap(([, { body }]) => {
      const record = JSON.parse(Buffer.from(body).toString()) as {
        body?: string;
        refused: { index: number; reason: string; sample?: unknown }[];
      };
      const whole =
        record.body === undefined ? [] : (JSON.parse(record.body) as { samples?: unknown[] }).samples;
      return record.refused.flatMap(({ index, reason, sample }) =>
        index < 0
          ? (whole ?? []).map((each) => ({ id: idOf(each), reason }))
          : [{ id: idOf(sample), reason }],
      );
    });
}

/** Learnt messages of one queue whose numbers go back; one that was a dead letter may come later. */
export function countDisorder(entries: readonly Entry[], { everDead }: Pick<Cloud, 'everDead'>): number {
  const highest = new Map<string, string>();
  let disorder = 0;
  for (const { queue, sequenceNumber, outcome } of entries.flatMap(({ header }) => header.messages)) {
    if (outcome === 'rejected' || everDead.has(`${queue}/${sequenceNumber}`)) continue;
    if (sequenceNumber <= (highest.get(queue) ?? '')) disorder += 1;
    else highest.set(queue, sequenceNumber);
  }
  return disorder;
}

function isPromoted(entries: readonly Entry[], job: string): boolean {
  return entries.some(({ header }) => header.kind === 'promote' && header.job === job);
}

/** A promotion whose weights had learnt what was retracted meanwhile is in quarantine. */
function isPromotionRefused(bucket: Bucket, model: string, job: string): boolean {
  return bucket.list(keys.quarantines(model)).some(([, { body }]) => {
    const record = JSON.parse(Buffer.from(body).toString()) as {
      body?: string;
      refused: { reason: string }[];
    };
    const isItsOwn = record.body?.includes(`{"promote":{"job":"${job}",`) ?? false;
    return isItsOwn && record.refused.every(({ reason }) => /retracted samples/.test(reason));
  });
}

/** The published state is the fold of the journal, and how messages were delivered together changes no bit of it. */
async function checkStates(
  cloud: Cloud,
  name: string,
  entries: readonly Entry[],
  engine: Engine,
): Promise<readonly string[]> {
  const ports = portsOver(cloud.bucket, engine);
  const model = await loadModel(ports, name);
  if (model === undefined) return [`${name} is gone`];
  const folded = await readForward(ports, model, initialState(model));
  const published = await readForward(ports, model, (await loadCheckpoint(ports, model)).state);
  const violations: string[] = [];
  const steps = countSteps(cloud.bucket, model, entries);
  if (folded.step !== steps) violations.push(`${name}: ${folded.step} steps were done, ${steps} were due`);
  if (!isSame(folded, published))
    violations.push(`${name}: the published state is not the fold of its journal`);
  if (entries.every(({ header }) => header.kind === 'samples')) {
    const regrouped = await learnOneByOne(cloud.bucket, model, entries, engine);
    const isEqual = isSame({ ...regrouped, sequence: 0, ledger: folded.ledger }, { ...folded, sequence: 0 });
    if (!isEqual) violations.push(`${name}: another grouping of its messages gives another state`);
  }
  return violations;
}

/**
 * The steps that a model's weights have behind them, counted from the headers alone: a promotion that did not catch up
 * with the stream, or a rollback to another entry, has another number.
 */
function countSteps({ objects }: Bucket, { name, spec }: Model, entries: readonly Entry[]): number {
  const after = [0];
  const stepsOf = ({ header }: Entry) =>
    header.messages.reduce((sum, { samples }) => sum + Math.ceil(samples / spec.online.minibatch), 0);
  for (const [place, entry] of entries.entries()) {
    const { header } = entry;
    const own = (after[place] ?? Number.NaN) + stepsOf(entry);
    if (header.kind === 'samples') after.push(own);
    else if (header.kind === 'rollback') after.push(after[header.to] ?? Number.NaN);
    else {
      const challenger = objects.get(keys.challenger(name, header.job))?.body ?? new Uint8Array();
      const missed = entries.slice(header.caughtUp, place).reduce((sum, each) => sum + stepsOf(each), 0);
      after.push(decodeParameters(challenger).parameters.step + missed);
    }
  }
  return after.at(-1) ?? 0;
}

function isSame(a: State, b: State): boolean {
  return Buffer.from(encodeCheckpoint(a)).equals(encodeCheckpoint(b));
}

/** What the journal holds, delivered again to a new model, each message alone. */
export async function learnOneByOne(
  bucket: Bucket,
  { name }: Model,
  entries: readonly Entry[],
  engine: Engine,
): Promise<State> {
  const fresh = createBucket();
  const spec = bucket.objects.get(keys.spec(name));
  fresh.put(keys.spec(name), spec?.body ?? new Uint8Array());
  const ports = portsOver(fresh, engine);
  let cached: Parameters<typeof updateModel>[4];
  let number = 0;
  for (const { header, samples } of entries) {
    let line = 0;
    for (const message of header.messages) {
      const own = samples.slice(line, line + message.samples);
      line += message.samples;
      if (own.length === 0) continue;
      // Without a producer's number: who was evicted depends on the messages that are left out here.
      const sequenceNumber = String(++number).padStart(20, '0');
      const body = JSON.stringify({ samples: own });
      const parsed = parseMessage({ ...message, sequenceNumber, body, group: name, queue: 'again' });
      ({ cached } = await updateModel(ports, name, [parsed], () => 100, cached));
    }
  }
  const model = await loadModel(ports, name);
  if (model === undefined) throw new Error(`${name} is gone`);
  return cached?.state ?? initialState(model);
}

function portsOver(bucket: Bucket, engine: Engine): Ports {
  let nonces = 0;
  const nothing = async () => undefined;
  return {
    store: storeOver(bucket),
    sendSamples: nothing,
    sendJob: nothing,
    now: () => 0,
    nonce: () => `check-${nonces++}`,
    engine,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  };
}

/** Keys that nobody wrote on purpose, or that no documented clean-up removes. */
function orphans(bucket: Bucket, models: readonly string[], { jobs }: Expected): readonly string[] {
  const files = ['job.json', 'lane.safetensors', 'progress.json', 'challenger.safetensors'];
  const known = new Set([
    ...models.flatMap((model) => [keys.spec(model), keys.state(model)]),
    ...models.flatMap((model) =>
      journalOf(bucket, model).map(({ header }) => keys.entry(model, header.sequence)),
    ),
    ...[...jobs].flatMap((job) => files.map((file) => `models/${job.replace('/', '/jobs/')}/${file}`)),
  ]);
  const derived = [
    /^prepared\/[^/]+\/[^/]+$/,
    /^models\/[^/]+\/(quarantine|checkpoints)\/[^/]+$/,
    /^models\/[^/]+\/jobs\/retract-[^/]+\/challenger\.safetensors$/,
  ];
  return [...bucket.objects.keys()]
    .filter((key) => !known.has(key) && !derived.some((pattern) => pattern.test(key)))
    .map((key) => `${key} is an orphan`);
}
