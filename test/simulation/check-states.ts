import { keys } from '../../lib/bucket/keys.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { isAmong as isSampleAmong } from '../../lib/fold/exclusions.ts';
import { currentState, readForward } from '../../lib/fold/fold.ts';
import type { Entry } from '../../lib/journal/entry.ts';
import { initialState, loadModel, type Model } from '../../lib/model/model.ts';
import { parseMessage } from '../../lib/online/messages.ts';
import type { CachedModel } from '../../lib/online/start-from.ts';
import { updateModel } from '../../lib/online/update-model.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { parseSpec, type Spec } from '../../lib/spec/spec.ts';
import { decodeParameters, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { State } from '../../lib/state/state.ts';
import { type Bucket, createBucket } from '../support/bucket.ts';
import { storeOver } from '../support/memory-store.ts';
import { withoutId } from './check-questions.ts';
import type { Cloud } from './cloud.ts';
import { isAmong, learntByJob, recordOf } from './learnt-places.ts';
import { smallLimits } from './small-limits.ts';

/**
 * The published state is the fold of the journal, and how messages were delivered together changes
 * no bit of it.
 */
export async function checkStates(
  cloud: Cloud,
  name: string,
  entries: readonly Entry[],
  engine: Engine,
): Promise<readonly string[]> {
  const ports = portsOver(cloud.bucket, engine);
  const model = await loadModel(ports, name);
  if (model === undefined) return [`${name} is gone`];
  const folded = await readForward(ports, model, initialState(model));
  const published = await currentState(ports, model);
  const violations = [...specViolations(name, entries, folded)];
  const steps = countSteps(cloud.bucket, model, entries);
  if (folded.step !== steps)
    violations.push(`${name}: ${folded.step} steps were done, ${steps} were due`);
  if (!isSame(folded, published))
    violations.push(`${name}: the published state is not the fold of its journal`);
  for (const { header } of entries) {
    if (header.kind === 'promote' && hasLearntRetracted(cloud.bucket, header, entries)) {
      violations.push(`${name}: job ${header.job} was promoted with samples that were retracted`);
    }
    if (header.kind === 'rollback' && isRetractedAt(entries, header)) {
      violations.push(`${name}: entry ${header.sequence} brought back samples that were retracted`);
    }
    const kept =
      header.kind === 'retract' ? keptPromotion(cloud.bucket, entries, header) : undefined;
    if (kept !== undefined) {
      violations.push(
        `${name}: entry ${header.sequence} keeps job ${kept}, which had learnt what it retracts`,
      );
    }
    if (header.kind === 'retract')
      for (const job of keptFor(cloud.bucket, entries, header))
        violations.push(
          `${name}: entry ${header.sequence} leaves out job ${job}, which had learnt nothing of it`,
        );
    if (hasUndone(entries, header)) {
      violations.push(`${name}: entry ${header.sequence} undid a command before it`);
    }
  }
  const without = unlearnt(entries);
  if (without !== undefined) {
    // By one, or by ten: which of both says the number of entries.
    const messagesAtOnce = entries.length % 2 === 0 ? 1 : 10;
    const again = await learnAgain(cloud.bucket, model, entries, {
      engine,
      messagesAtOnce,
      without,
    });
    const { tensors, step, statistics, scores, learnt } = again;
    if (!isSame({ ...folded, tensors, step, statistics }, folded))
      violations.push(`${name}: its messages by ${messagesAtOnce} give other weights`);
    // What was retracted has been tested before, and stays in the scores.
    // So has what was learnt by another spec.
    const isWhole = entries.every(({ header: { kind } }) => kind !== 'retract' && kind !== 'spec');
    if (isWhole && !isSame({ ...folded, scores, learnt }, folded))
      violations.push(`${name}: its messages by ${messagesAtOnce} give other scores`);
  }
  return violations;
}

/** Messages and samples that a model has unlearnt. */
export type Unlearnt = {
  readonly messages: ReadonlySet<string>;
  readonly samples: ReadonlySet<string>;
};

/**
 * What the entries retract; undefined where weights came from elsewhere than the stream, and
 * stayed.
 */
export function unlearnt(entries: readonly Entry[]): Unlearnt | undefined {
  const retractions = entries.flatMap(({ header }) => (header.kind === 'retract' ? [header] : []));
  const last = retractions.at(-1);
  const isOfTheStream = ({ header }: Entry) => {
    if (header.kind === 'spec') return header.from === 'journal';
    if (header.kind !== 'promote') return header.kind !== 'rollback';
    return header.sequence < (last?.sequence ?? 0) && last?.without.jobs.includes(header.job);
  };
  if (!entries.every(isOfTheStream)) return undefined;
  return {
    messages: new Set(retractions.flatMap(({ without }) => without.messages)),
    samples: new Set(retractions.flatMap(({ without }) => without.samples)),
  };
}

/**
 * The steps that a model's weights have behind them, counted from the headers alone: a promotion
 * that did not catch up with the stream, or a rollback to another entry, has another number.
 */
function countSteps({ objects }: Bucket, { name }: Model, entries: readonly Entry[]): number {
  const after = [0];
  const minibatchOf = (hash: string) => specOf(objects, name, hash).online.minibatch;
  const stepsOf = ({ header }: Entry, by = header.spec) =>
    header.messages.reduce((sum, { samples }) => sum + Math.ceil(samples / minibatchOf(by)), 0);
  for (const [place, entry] of entries.entries()) {
    const { header } = entry;
    const own = (after[place] ?? Number.NaN) + stepsOf(entry);
    if (header.kind === 'samples') after.push(own);
    else if (header.kind === 'rollback') after.push(after[header.to] ?? Number.NaN);
    else {
      const by = header.kind === 'spec' ? header.to : header.spec;
      const challenger = objects.get(keys.challenger(name, header.job))?.body ?? new Uint8Array();
      const missed = entries
        .slice(header.caughtUp, place)
        .reduce((sum, each) => sum + stepsOf(each, by), 0);
      after.push(decodeParameters(challenger).parameters.step + missed);
    }
  }
  return after.at(-1) ?? 0;
}

/** Each entry is made with the spec that held: a rollback brings back that of the entry before. */
function specViolations(
  name: string,
  entries: readonly Entry[],
  { specHash }: State,
): readonly string[] {
  const held = [entries[0]?.header.spec ?? specHash];
  for (const { header } of entries) {
    const now = held.at(-1) ?? '';
    if (header.kind === 'spec') held.push(header.to);
    else held.push(header.kind === 'rollback' ? (held[header.to] ?? '') : now);
  }
  const made = [...entries.map(({ header }) => header.spec), specHash];
  return made.flatMap((hash, place) =>
    hash === held[place] ? [] : [`${name}: entry ${place + 1} has another spec than the one held`],
  );
}

/** A spec that a model has, or has had. */
function specOf(objects: Bucket['objects'], name: string, hash: string): Spec {
  const later = objects.get(keys.laterSpec(name, hash)) ?? objects.get(keys.spec(name));
  return parseSpec(JSON.parse(Buffer.from(later?.body ?? []).toString()));
}

function isSame(a: State, b: State): boolean {
  return Buffer.from(encodeCheckpoint(a)).equals(encodeCheckpoint(b));
}

/**
 * Whether a job that began before a retraction was promoted after it: its weights have learnt what
 * was retracted.
 */
function hasLearntRetracted(
  bucket: Bucket,
  header: Extract<Entry['header'], { kind: 'promote' }>,
  entries: readonly Entry[],
): boolean {
  const { began } = recordOf(bucket, header);
  return entries.slice(began, header.sequence).some(({ header: { kind } }) => kind === 'retract');
}

/**
 * Whether a retraction before a rollback took out samples that the entry it goes back to had
 * learnt.
 */
function isRetractedAt(
  entries: readonly Entry[],
  { sequence, to }: Extract<Entry['header'], { kind: 'rollback' }>,
): boolean {
  return entries
    .slice(to, sequence)
    .some(({ header }) => header.kind === 'retract' && header.from <= to);
}

/**
 * The last promotion before a retraction that had learnt what is retracted, and is not among what
 * was left out.
 */
function keptPromotion(
  bucket: Bucket,
  entries: readonly Entry[],
  { sequence, from, without }: Extract<Entry['header'], { kind: 'retract' }>,
): string | undefined {
  const replacing = entries.slice(0, sequence - 1).findLast(({ header }) => {
    const isLeftOut = header.kind === 'promote' && without.jobs.includes(header.job);
    return header.kind !== 'samples' && !isLeftOut;
  })?.header;
  if (replacing?.kind !== 'promote' || replacing.sequence < from) return undefined;
  const learnt = learntByJob(bucket, entries, replacing);
  return [...learnt].some((place) => isAmong(entries, place, without)) ? replacing.job : undefined;
}

/** Jobs that a retraction leaves out, though they had learnt nothing of it. */
function keptFor(
  bucket: Bucket,
  entries: readonly Entry[],
  { sequence, without }: Extract<Entry['header'], { kind: 'retract' }>,
): readonly string[] {
  return without.jobs.filter((job) => {
    const promotion = entries
      .slice(0, sequence - 1)
      .find(({ header }) => header.kind === 'promote' && header.job === job)?.header;
    if (promotion?.kind !== 'promote') return true;
    return ![...learntByJob(bucket, entries, promotion)].some((place) =>
      isAmong(entries, place, without),
    );
  });
}

/**
 * Whether an entry's weights were made before a command that they put aside; a promotion may put
 * another aside.
 */
function hasUndone(entries: readonly Entry[], header: Entry['header']): boolean {
  if (header.kind === 'samples' || header.kind === 'rollback') return false;
  const always = ['rollback', 'retract', 'spec'];
  const standing = header.kind === 'promote' ? always : [...always, 'promote'];
  return entries
    .slice(header.caughtUp, header.sequence - 1)
    .some((between) => standing.includes(between.header.kind));
}

/** How a journal's messages are learnt again. */
export type LearningAgain = {
  readonly engine: Engine;
  readonly messagesAtOnce: number;
  /** What was retracted. */
  readonly without?: Unlearnt;
};

/**
 * What the journal holds, delivered again to a new model, some messages at once; without what was
 * retracted.
 */
export async function learnAgain(
  bucket: Bucket,
  { name }: Model,
  entries: readonly Entry[],
  { engine, messagesAtOnce, without = { messages: new Set(), samples: new Set() } }: LearningAgain,
): Promise<State> {
  const fresh = createBucket();
  const hash = entries.findLast(({ header }) => header.kind === 'spec')?.header;
  const own = hash?.kind === 'spec' ? keys.laterSpec(name, hash.to) : keys.spec(name);
  fresh.put(keys.spec(name), bucket.objects.get(own)?.body ?? new Uint8Array());
  const ports = portsOver(fresh, engine);
  const messages = entries.flatMap((entry) =>
    entry.samples.flatMap((samples, place) => {
      const message = entry.header.messages[place];
      if (message === undefined || without.messages.has(message.id)) return [];
      const own = [...samples].filter((sample) => !isSampleAmong(without.samples, sample));
      const left = own.map(withoutId);
      return left.length === 0 ? [] : [{ ...message, body: JSON.stringify({ samples: left }) }];
    }),
  );
  // Without a producer's number: who was evicted depends on the messages that are left out here.
  const parsed = messages.map((message, place) =>
    parseMessage({ ...message, sequenceNumber: String(place + 1), group: name, queue: 'again' }),
  );
  let cached: CachedModel | undefined;
  for (let start = 0; start < parsed.length; start += messagesAtOnce) {
    const delivery = parsed.slice(start, start + messagesAtOnce);
    ({ cached } = await updateModel(ports, name, delivery, { secondsLeft: () => 100, cached }));
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
    sendCommand: nothing,
    pause: nothing,
    now: () => 0,
    nonce: () => `check-${nonces++}`,
    engine,
    limits: smallLimits,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  };
}
