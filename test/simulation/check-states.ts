import type { Engine } from '../../lib/engine/engine.ts';
import { decodeParameters, encodeCheckpoint } from '../../lib/journal/checkpoint.ts';
import type { Entry } from '../../lib/journal/entry.ts';
import { keys } from '../../lib/journal/keys.ts';
import type { State } from '../../lib/journal/state.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { currentState, readForward } from '../../lib/training/fold.ts';
import { parseMessage } from '../../lib/training/messages.ts';
import { initialState, loadModel, type Model } from '../../lib/training/model.ts';
import { updateModel } from '../../lib/training/online-update.ts';
import { type Bucket, createBucket } from './bucket.ts';
import type { Cloud } from './cloud.ts';
import { storeOver } from './memory-store.ts';

/** The published state is the fold of the journal, and how messages were delivered together changes no bit of it. */
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
  const violations: string[] = [];
  const steps = countSteps(cloud.bucket, model, entries);
  if (folded.step !== steps) violations.push(`${name}: ${folded.step} steps were done, ${steps} were due`);
  if (!isSame(folded, published))
    violations.push(`${name}: the published state is not the fold of its journal`);
  for (const { header } of entries) {
    if (header.kind === 'promote' && hasLearntRetracted(cloud.bucket, header, entries)) {
      violations.push(`${name}: job ${header.job} was promoted with samples that were retracted`);
    }
    if (header.kind === 'rollback' && isRetractedAt(entries, header)) {
      violations.push(`${name}: entry ${header.sequence} brought back samples that were retracted`);
    }
    if (hasUndone(entries, header)) {
      violations.push(`${name}: entry ${header.sequence} undid a command before it`);
    }
  }
  if (entries.every(({ header }) => header.kind === 'samples' || header.kind === 'retract')) {
    const without = entries.flatMap(({ header }) =>
      header.kind === 'retract' ? header.without.messages : [],
    );
    const { tensors, step, statistics, ...again } = await learnOneByOne(
      cloud.bucket,
      model,
      entries,
      engine,
      without,
    );
    const isEqual = isSame({ ...folded, tensors, step, statistics }, folded);
    if (!isEqual) violations.push(`${name}: another grouping of its messages gives other weights`);
    const hasScores =
      without.length > 0 || isSame({ ...folded, scores: again.scores, learnt: again.learnt }, folded);
    if (!hasScores) violations.push(`${name}: another grouping of its messages gives other scores`);
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

/** Whether a job that began before a retraction was promoted after it: its weights have learnt what was retracted. */
function hasLearntRetracted(
  { objects }: Bucket,
  { model, job, sequence }: Extract<Entry['header'], { kind: 'promote' }>,
  entries: readonly Entry[],
): boolean {
  const record = objects.get(keys.job(model, job))?.body ?? Buffer.from('{}');
  const { sequence: began = 0 } = JSON.parse(Buffer.from(record).toString()) as { sequence?: number };
  return entries.slice(began, sequence).some(({ header }) => header.kind === 'retract');
}

/** Whether a retraction before a rollback took out samples that the entry it goes back to had learnt. */
function isRetractedAt(
  entries: readonly Entry[],
  { sequence, to }: Extract<Entry['header'], { kind: 'rollback' }>,
): boolean {
  return entries.slice(to, sequence).some(({ header }) => header.kind === 'retract' && header.from <= to);
}

/** Whether an entry's weights were made before a command that they put aside; a promotion may put another aside. */
function hasUndone(entries: readonly Entry[], header: Entry['header']): boolean {
  if (header.kind !== 'promote' && header.kind !== 'retract') return false;
  const standing = header.kind === 'promote' ? ['rollback', 'retract'] : ['rollback', 'retract', 'promote'];
  return entries
    .slice(header.caughtUp, header.sequence - 1)
    .some((between) => standing.includes(between.header.kind));
}

/** What the journal holds, delivered again to a new model, each message alone; without what was retracted. */
export async function learnOneByOne(
  bucket: Bucket,
  { name }: Model,
  entries: readonly Entry[],
  engine: Engine,
  without: readonly string[] = [],
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
      if (own.length === 0 || without.includes(message.id)) continue;
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
