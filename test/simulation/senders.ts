import { MillraceError } from '../../lib/errors.ts';
import { readEntry } from '../../lib/journal/journal.ts';
import { keys } from '../../lib/journal/keys.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { loadModel } from '../../lib/training/model.ts';
import { prepareRetraction } from '../../lib/training/prepare-retraction.ts';
import { retryQuarantine } from '../../lib/training/retry.ts';
import { type Expected, idOf } from './check.ts';
import type { Cloud, Process } from './cloud.ts';
import { isExpected } from './functions.ts';
import type { QueueSettings } from './queue.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

const second = 1_000;
const minute = 60 * second;

/** Starts all that is sent: producers, jobs, and a day on which the queues are made anew. */
export function startSenders(
  cloud: Cloud,
  random: Random,
  models: readonly string[],
  stormMilliseconds: number,
): Expected {
  const expected: Expected = {
    samples: new Set(),
    refusable: new Set(),
    excused: new Set(),
    unanswered: new Set(),
    repeatable: new Set(),
    jobs: new Set(),
  };
  const { timeline } = cloud;
  const restarts: (() => void)[] = [];
  let ids = 0;
  for (const model of models) {
    const names = ['', 'till-1', 'till-2', 'till-3', 'till-4', 'till-5', 'till-6'].slice(
      0,
      random.pick([1, 2, 3, 3, 7]),
    );
    for (const name of names) {
      const messages = Array.from({ length: random.integer(1, 6) }, () =>
        Array.from({ length: random.integer(1, 3) }, () => sample(ids++, random, expected)),
      );
      const producer = { name, model, messages };
      const start = () => void produce(cloud, random, producer, expected);
      timeline.after(random.integer(0, 60 * second), start);
      if (name !== '') restarts.push(start);
    }
    for (const job of ['nightly', 'second'].slice(0, random.pick([0, 1, 1, 2]))) {
      const start = random.pick(['champion', 'fresh']);
      const body = JSON.stringify({ model, job, dataset: 'journal', start });
      const begin = () => void sendJob(cloud, model, `${job}-${timeline.now()}`, body);
      expected.jobs.add(`${model}/${job}`);
      timeline.after(random.integer(5 * second, stormMilliseconds), begin);
      restarts.push(begin);
    }
  }
  if (random.chance(0.25)) {
    const [model = ''] = models;
    const body = JSON.stringify({ rollback: { to: random.integer(0, 8) } });
    timeline.after(
      random.integer(10 * second, stormMilliseconds),
      () => void sendCommand(cloud, model, body),
    );
  }
  if (random.chance(0.25)) {
    const [model = ''] = models;
    timeline.after(
      random.integer(30 * second, stormMilliseconds),
      () => void retractSome(cloud, random, model),
    );
  }
  if (random.chance(0.3)) {
    const [model = ''] = models;
    for (let operators = random.integer(1, 3); operators > 0; operators--) {
      const start = random.integer(30 * second, 2 * stormMilliseconds);
      timeline.after(start, () => void retryRefused(cloud, random, model));
    }
  }
  if (random.chance(0.1)) {
    const [model = ''] = models;
    timeline.after(random.integer(10 * second, stormMilliseconds), () => changeSpec(cloud, random, model));
  }
  if (random.chance(0.15)) {
    timeline.after(random.integer(10 * second, stormMilliseconds), () => {
      recreateQueues(cloud, expected);
      for (const restart of restarts) timeline.after(random.integer(0, 10 * second), restart);
    });
  }
  return expected;
}

/** A sample with a number of its own; one in ten cannot be learnt. */
function sample(id: number, random: Random, expected: Expected): unknown {
  const isValid = random.chance(0.9);
  if (isValid) expected.samples.add(id);
  else expected.refusable.add(id);
  const label = isValid ? { label: id % 7 } : {};
  return { features: { id, kind: random.pick(['a', 'b', 'c']) }, ...label, weight: 1 + (id % 2) };
}

type Messages = { readonly name: string; readonly model: string; readonly messages: readonly unknown[][] };

/** Sends messages one after the other, again until the queue has answered. Without a name they have no numbers. */
async function produce(
  cloud: Cloud,
  random: Random,
  { name, model, messages }: Messages,
  expected: Expected,
): Promise<void> {
  const { timeline } = cloud;
  const process: Process = { name: name || 'anonymous', isDead: false, onDeath: () => restart() };
  const ports = cloud.portsOf(process);
  let sent = 0;
  const restart = () => {
    process.isDead = false;
    timeline.after(random.integer(1, 20 * second), () => void sendRest());
  };
  const sendRest = async () => {
    for (; sent < messages.length; sent++) {
      await tryAgain(cloud, random, name !== '', () =>
        sendOne(ports, { name, model, messages }, sent, expected),
      );
      await pause(timeline, random.integer(1, 30 * second));
    }
  };
  await sendRest();
}

async function sendOne(
  ports: Ports,
  { name, model, messages }: Messages,
  place: number,
  { unanswered }: Expected,
) {
  const samples = messages[place] ?? [];
  if (name !== '') return createProducer(ports.sendSamples, model, name, place + 1).send(samples);
  const first = JSON.stringify(samples[0]);
  for (const each of samples) unanswered.add(idOf(each));
  await ports.sendSamples({
    body: JSON.stringify({ samples }),
    group: model,
    deduplication: `once:${first}`,
  });
  for (const each of samples) unanswered.delete(idOf(each));
}

/** Somebody at a command line: sends once, and again if there was no answer. */
async function sendCommand(cloud: Cloud, model: string, body: string): Promise<void> {
  const process: Process = { name: 'operator', isDead: false, onDeath: () => undefined };
  const { sendSamples } = cloud.portsOf(process);
  await tryAgain(cloud, cloud.random, false, () =>
    sendSamples({ body, group: model, deduplication: `command-${body}` }),
  );
}

/** An operator unlearns a message that the journal holds, if it does not fail on the way. */
async function retractSome(cloud: Cloud, random: Random, name: string): Promise<void> {
  const process: Process = { name: 'operator', isDead: false, onDeath: () => undefined };
  const ports = cloud.portsOf(process);
  try {
    const model = await loadModel(ports, name);
    const sequence = random.integer(1, 5);
    const entry = await readEntry(ports.store, name, sequence);
    const message = entry?.header.messages.find(({ samples }) => samples > 0);
    if (model === undefined || message === undefined) return;
    const { retract } = await prepareRetraction(ports, model, { messages: [message.id], samples: [] });
    await sendCommand(cloud, name, JSON.stringify({ retract }));
  } catch (error) {
    // Not there, a promotion in between, or S3 does not answer: the operator tries another day.
    if (!isExpected(error))
      cloud.violations.push(`operator: ${error instanceof Error ? error.message : error}`);
  }
}

/** An operator sends what is in quarantine again, and tries once more if that breaks off. */
async function retryRefused(cloud: Cloud, random: Random, model: string): Promise<void> {
  const process: Process = { name: 'operator', isDead: false, onDeath: () => undefined };
  await tryAgain(cloud, random, true, async () => {
    await retryQuarantine(cloud.portsOf(process), model);
  });
}

async function sendJob(cloud: Cloud, model: string, deduplication: string, body: string): Promise<void> {
  const process: Process = { name: 'scheduler', isDead: false, onDeath: () => void again() };
  const again = async () => {
    process.isDead = false;
    const { sendJob: send } = cloud.portsOf(process);
    await tryAgain(cloud, cloud.random, true, () => send({ body, group: model, deduplication }));
  };
  await again();
}

/** Calls until it is answered; who numbers messages may wait for longer than SQS remembers them. */
async function tryAgain({ timeline }: Cloud, random: Random, mayWait: boolean, act: () => Promise<void>) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof MillraceError) || error.kind !== 'unavailable') throw error;
      await pause(timeline, mayWait && random.chance(0.2) ? 10 * minute : random.integer(1, 20 * second));
    }
  }
}

function pause({ after }: Timeline, milliseconds: number): Promise<void> {
  return new Promise((resolve) => after(milliseconds, resolve));
}

/** Somebody writes another spec over a model's own, and puts it back some minutes later: the model stops meanwhile. */
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

/** The stack is removed, with all that its queues hold, and deployed again over the kept bucket. */
function recreateQueues(cloud: Cloud, expected: Expected): void {
  cloud.timeline.record('the queues are created again');
  for (const id of expected.unanswered) expected.repeatable.add(id);
  for (const { body } of [...cloud.samples.messages(), ...cloud.samples.deadLetters()]) {
    const { producer, samples = [] } = JSON.parse(body) as { producer?: string; samples?: unknown[] };
    if (producer === undefined) for (const each of samples) expected.excused.add(idOf(each));
  }
  const renewed = (name: string): QueueSettings => ({
    arn: `arn:aws:sqs:simulated:${name}`,
    visibilityMilliseconds: 720 * second,
    maximumReceives: 8,
  });
  cloud.samples = cloud.newQueue(renewed('samples-2'));
  cloud.jobs = cloud.newQueue(renewed('jobs-2'));
}
