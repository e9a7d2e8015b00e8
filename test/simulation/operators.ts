import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError, reasonOf } from '../../lib/errors.ts';
import { idHash, sampleHash } from '../../lib/fold/exclusions.ts';
import { allOf } from '../../lib/journal/entry.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { loadModel } from '../../lib/model/model.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { createRedrive } from '../../lib/operations/redrive.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { Process } from './calls.ts';
import { type Expected, idOf } from './check.ts';
import type { Cloud } from './cloud.ts';
import { rowsOf, type SentColumns } from './columns.ts';
import { isExpected } from './functions.ts';
import { intruder } from './intruder.ts';
import type { QueueSettings } from './queue.ts';
import type { Random } from './random.ts';
import { tryAgain } from './try-again.ts';

const second = 1_000;
const minute = 60 * second;

/** What operators work on. */
export type Operations = {
  readonly model: string;
  readonly stormMilliseconds: number;
  readonly expected: Expected;
  /** Starts the senders again, once the stack is made anew. */
  readonly restart: () => void;
};

/**
 * Starts what people do meanwhile, at a command line or in a console, and a day on which the stack
 * is made anew.
 */
export function startOperators(
  cloud: Cloud,
  random: Random,
  { model, stormMilliseconds, expected, restart }: Operations,
): void {
  const { timeline } = cloud;
  const recreate = () => {
    recreateQueues(cloud, expected);
    restart();
  };
  const acts: readonly Act[] = [
    { chance: 0.4, most: 2, act: () => rollBackSome(cloud, random, model) },
    { chance: 0.5, most: 3, act: () => retractSome(cloud, random, model) },
    { chance: 0.3, most: 2, act: () => intrude(cloud, random, model) },
    { chance: 0.3, most: 3, act: () => retryRefused(cloud, random, model) },
    { chance: 0.3, most: 2, act: () => redriveMeanwhile(cloud, random) },
    { chance: 0.2, most: 2, act: () => moveByHand(cloud) },
    { chance: 0.1, most: 1, act: () => changeSpec(cloud, random, model) },
    { chance: 0.1, most: 2, act: () => removeState(cloud, model) },
    { chance: 0.1, most: 2, act: () => damageState(cloud, random, model) },
    { chance: 0.15, most: 1, act: recreate },
  ];
  // Somebody whom the alarm wakes moves letters back while deliveries of them may still be running.
  if (random.chance(0.3)) {
    cloud.onDeadLetter = () =>
      timeline.after(random.integer(1, 60 * second), () => void redriveMeanwhile(cloud, random));
  }
  for (const { chance, most, act } of acts) {
    if (!random.chance(chance)) continue;
    for (let times = random.integer(1, most); times > 0; times--) {
      // Some of it comes when the storm is over.
      timeline.after(
        random.integer(10 * second, Math.ceil(1.3 * stormMilliseconds)),
        () => void act(),
      );
    }
  }
}

/** What somebody may do in a schedule, how likely, and how often at most. */
type Act = {
  readonly chance: number;
  readonly most: number;
  readonly act: () => void | Promise<void>;
};

/** Somebody moves the dead letters back, ten at a time, and may die after some milliseconds. */
export async function redrive(cloud: Cloud, diesAfter: number | undefined): Promise<void> {
  const process: Process = { name: 'redrive', isDead: false, onDeath: () => undefined };
  const die = () => {
    process.isDead = true;
  };
  if (diesAfter !== undefined) cloud.timeline.after(diesAfter, die);
  const ports = cloud.portsOf(process);
  const { samples, jobs } = cloud;
  const redriveSamples = createRedrive(ports);
  for (;;) {
    const batch = samples.deadLetters().slice(0, 10);
    if (batch.length === 0) break;
    await redriveSamples(batch.map((letter) => ({ ...letter, queue: samples.arn })));
    for (const letter of batch) samples.removeDeadLetter(letter);
  }
  for (const letter of jobs.deadLetters()) {
    await ports.sendJob({ body: letter.body, group: letter.group, deduplication: letter.id });
    jobs.removeDeadLetter(letter);
  }
}

const operator = (): Process => ({ name: 'operator', isDead: false, onDeath: () => undefined });

/** While things still go wrong; what breaks off is left for the day on which they do not. */
async function redriveMeanwhile(cloud: Cloud, random: Random): Promise<void> {
  const diesAfter = random.chance(0.3) ? random.integer(0, 400) : undefined;
  await redrive(cloud, diesAfter).catch((error: unknown) => report(cloud, error));
}

/**
 * SQS' own way back from the dead letters: new sequence numbers for the same bodies. It is for
 * numbered messages.
 */
function moveByHand({ samples, timeline, onSend }: Cloud): void {
  for (const letter of samples.deadLetters()) {
    if (!letter.body.includes('"producer":')) continue;
    timeline.record(`${letter.sequenceNumber} is moved back by hand`);
    samples.removeDeadLetter(letter);
    samples.send(letter.body, letter.group, `moved-${letter.id}`, letter.isOfProducer);
    onSend();
  }
}

/** Sends a command once, and again if there was no answer. */
async function sendCommand(cloud: Cloud, model: string, body: string): Promise<void> {
  const { sendCommand: send } = cloud.portsOf(operator());
  await tryAgain(cloud, cloud.random, false, () =>
    send({ body, group: model, deduplication: `command-${body}` }),
  );
}

/** Somebody who may send samples sends a command. */
function intrude(cloud: Cloud, random: Random, model: string): void {
  const rollback = { to: random.integer(0, 3) };
  const body = JSON.stringify({ producer: intruder, seq: random.integer(1, 3), rollback });
  cloud.samples.send(body, model, `intrusion-${body}`, true);
  cloud.onSend();
}

async function rollBackSome(cloud: Cloud, random: Random, model: string): Promise<void> {
  await sendCommand(cloud, model, JSON.stringify({ rollback: { to: random.integer(0, 8) } }));
}

/**
 * Unlearns a message that the journal holds, or a sample of it, if that does not fail on the way.
 */
async function retractSome(cloud: Cloud, random: Random, name: string): Promise<void> {
  const ports = cloud.portsOf(operator());
  try {
    const model = await loadModel(ports, name);
    const entry = await readEntry(ports.store, name, random.integer(1, 8));
    const message = entry?.header.messages.find(({ samples }) => samples > 0);
    if (model === undefined || entry === undefined || message === undefined) return;
    const samples = allOf(entry.samples);
    const retraction = random.chance(0.6)
      ? { messages: [message.id], samples: [] }
      : {
          messages: [],
          samples: [nameOf(samples[random.integer(0, samples.length - 1)])],
        };
    const { retract } = await prepareRetraction(ports, model, retraction);
    await sendCommand(cloud, name, JSON.stringify({ retract }));
  } catch (error) {
    // Not there, or S3 does not answer: the operator tries another day.
    report(cloud, error);
  }
}

/** What a retraction calls a sample: by its id, if it was asked under one. */
function nameOf(sample: unknown): string {
  const { id } = sample as { readonly id?: string };
  return id === undefined ? sampleHash(sample) : idHash(id);
}

/** Sends what is in quarantine again, and once more if that breaks off. */
async function retryRefused(cloud: Cloud, random: Random, model: string): Promise<void> {
  try {
    await tryAgain(cloud, random, true, async () => {
      await retryQuarantine(cloud.portsOf(operator()), model);
    });
  } catch (error) {
    report(cloud, error);
  }
}

function report({ violations }: Cloud, error: unknown): void {
  if (!isExpected(error)) violations.push(`operator: ${reasonOf(error)}`);
}

/**
 * Somebody writes another spec over a model's own, and puts it back some minutes later: the model
 * stops meanwhile.
 */
function changeSpec({ bucket, timeline }: Cloud, random: Random, model: string): void {
  const spec = bucket.objects.get(keys.spec(model));
  // Before the first state there is nothing that another spec contradicts.
  if (spec === undefined || !bucket.objects.has(keys.state(model))) return;
  const other = { ...JSON.parse(Buffer.from(spec.body).toString()), seed: 99 };
  timeline.record(`${model} gets another spec`);
  bucket.put(keys.spec(model), Buffer.from(JSON.stringify(other)));
  timeline.after(random.integer(1, 20) * minute, () => {
    timeline.record(`${model} has its spec again`);
    bucket.put(keys.spec(model), spec.body);
  });
}

/** Somebody deletes the published checkpoint: it is only a cache of the journal. */
function removeState({ bucket, timeline, published }: Cloud, model: string): void {
  timeline.record(`the state of ${model} is removed`);
  bucket.remove(keys.state(model));
  published.delete(keys.state(model));
}

/** The published checkpoint is damaged, or put back from a copy of a longer journal. */
function damageState({ bucket, timeline, published }: Cloud, random: Random, model: string): void {
  const key = keys.state(model);
  const stored = bucket.objects.get(key);
  if (stored === undefined) return;
  const { body } = stored;
  const ahead = () => {
    const state = decodeCheckpoint(body);
    return encodeCheckpoint({ ...state, sequence: state.sequence + 50 });
  };
  const flipped = () => Buffer.from(body).fill(0xff, body.length - 3, body.length - 2);
  const damage = random.pick([() => body.subarray(0, body.length / 2), flipped, ahead]);
  timeline.record(`the state of ${model} is damaged`);
  try {
    bucket.put(key, damage());
    published.delete(key);
  } catch (error) {
    // It was damaged before, so nothing is ahead of anything.
    if (!(error instanceof MillraceError)) throw error;
  }
}

/** A sample, or the label of a question, as it was sent. */
type Sent = { readonly id?: string; readonly features?: unknown } | null;

type SentBody = {
  readonly producer?: string;
  readonly samples?: readonly Sent[];
  readonly labels?: readonly Sent[];
  readonly columns?: SentColumns;
};

/** The stack is removed, with all that its queues hold, and deployed again over the kept bucket. */
function recreateQueues(cloud: Cloud, expected: Expected): void {
  cloud.timeline.record('the queues are created again');
  for (const id of expected.unanswered) expected.repeatable.add(id);
  for (const { body } of [...cloud.samples.messages(), ...cloud.samples.deadLetters()]) {
    const {
      producer = '',
      labels = [],
      columns,
      samples = columns ? rowsOf(columns) : labels,
    }: SentBody = JSON.parse(body);
    // Nobody sends these again: they have no number, or got one when they were dead letters.
    if (producer !== '' && !producer.startsWith('resend-')) continue;
    for (const each of samples) {
      const question = expected.questions.find(({ id }) => id === each?.id);
      if (question === undefined) expected.excused.add(idOf(each));
      else question.isExcused = true;
    }
  }
  const renewed = (name: string): QueueSettings => ({
    arn: `arn:aws:sqs:simulated:${name}`,
    visibilityMilliseconds: 720 * second,
    maximumReceives: 8,
  });
  cloud.samples = cloud.newQueue(renewed('samples-2'));
  cloud.jobs = cloud.newQueue(renewed('jobs-2'));
}
