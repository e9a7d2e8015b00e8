import type { Engine } from '../../lib/engine/engine.ts';
import { MillraceError } from '../../lib/errors.ts';
import { decodeCheckpoint } from '../../lib/journal/checkpoint.ts';
import { readEntry } from '../../lib/journal/journal.ts';
import { keys } from '../../lib/journal/keys.ts';
import { limits } from '../../lib/limits.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { loadModel } from '../../lib/training/model.ts';
import { redriveSamples } from '../../lib/training/redrive.ts';
import { prepareRetraction } from '../../lib/training/retract.ts';
import { chainEngine } from './chain-engine.ts';
import { check, type Expected, idOf } from './check.ts';
import { type Cloud, createCloud, type Process } from './cloud.ts';
import { createFaults, type FaultKind, faultKinds, type Strike } from './faults.ts';
import { startFunctions } from './functions.ts';
import type { QueueSettings } from './queue.ts';
import { createRandom, type Random } from './random.ts';
import { createTimeline, type Timeline } from './timeline.ts';

/** What a schedule does beside its seed. */
export type ScheduleOptions = {
  /** Faults that may strike; all of them unless given. */
  readonly kinds?: ReadonlySet<FaultKind>;
  /** The strikes that happen; all of them unless given. */
  readonly kept?: readonly Strike[];
  readonly keepsEvents?: boolean;
  readonly engine?: Engine;
};

/** What became of a schedule. */
export type Outcome = {
  readonly seed: number;
  readonly faults: readonly Strike[];
  readonly hash: string;
  readonly events: readonly string[];
  readonly samples: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Every broken promise, those three among them, as a sentence. */
  readonly violations: readonly string[];
};

/** The model of all schedules; its regression targets are the samples' numbers. */
export const simulatedSpec = defineSpec({
  model: 'simulated',
  task: 'regression',
  features: {
    id: { type: 'number' },
    kind: { type: 'category', values: ['a', 'b', 'c'], dimensions: 1 },
  },
  network: { hidden: [] },
  optimizer: { type: 'momentum', rate: 0.001 },
  online: { minibatch: 2 },
  batch: { epochs: 2, minibatch: 4, validation: 0.2, slice: { epochs: 1 } },
});

const second = 1_000;
const minute = 60 * second;
const day = 1_440 * minute;
const groups = [simulatedSpec.model, 'other'] as const;

/** Bounds that are small enough to be met by a schedule of some messages. */
const smallLimits = { producers: 4, gapsPerProducer: 2, keptCheckpointEntries: 4, putAttempts: 3 };

/** Runs the schedule of a seed: what is sent, what goes wrong and when, all of it. */
export async function runSchedule(seed: number, options: ScheduleOptions = {}): Promise<Outcome> {
  const before = { ...limits };
  Object.assign(limits, smallLimits);
  try {
    return await run(seed, options);
  } finally {
    Object.assign(limits, before);
  }
}

async function run(seed: number, options: ScheduleOptions): Promise<Outcome> {
  const random = createRandom(seed, 1);
  let working = 0;
  const engine = counted(options.engine ?? chainEngine, (change) => {
    working += change;
  });
  const timeline = createTimeline(() => working > 0, options.keepsEvents ?? false);
  const stormMinutes = random.integer(1, 30);
  const kinds = options.kinds ?? someKinds(random);
  const faults = createFaults(
    seed,
    random.pick([0, 0.005, 0.02, 0.05, 0.1]),
    () => timeline.now() > stormMinutes * minute,
    kinds,
    options.kept,
  );
  const visibility = () => (random.chance(0.6) ? 720 : random.integer(2, 120)) * second;
  const queue = (name: string): QueueSettings => ({
    arn: `arn:aws:sqs:simulated:${name}`,
    visibilityMilliseconds: visibility(),
    maximumReceives: random.integer(2, 8),
  });
  const cloud = createCloud({
    timeline,
    random: createRandom(seed, 3),
    faults,
    engine,
    samples: queue('samples-1'),
    jobs: queue('jobs-1'),
    watchPut: publishedNeverGoesBack,
  });
  const publishEvery = random.pick([1, 1, 3]);
  for (const model of groups.slice(0, random.pick([1, 1, 2]))) {
    const spec = { ...simulatedSpec, model, online: { ...simulatedSpec.online, publishEvery } };
    cloud.bucket.put(keys.spec(model), Buffer.from(JSON.stringify(spec)));
  }
  const models = cloud.bucket.list('models/').map(([key]) => key.split('/')[1] ?? '');
  const size = random.pick([1, 3, 10]);
  startFunctions(cloud, () => random.integer(1, size));

  const expected = startSenders(cloud, random, models, stormMinutes * minute);
  await timeline.run();
  // Days later somebody moves the dead letters back, until there are none.
  for (let round = 0; round < 5 && cloud.samples.deadLetters() + cloud.jobs.deadLetters() > 0; round++) {
    timeline.after(3 * day, () => void redrive(cloud));
    await timeline.run();
  }
  const found = await check(cloud, models, expected, engine);
  const violations = [...cloud.violations, ...found.violations];
  timeline.record(violations.join('; '));
  return {
    seed,
    faults: faults.struck,
    hash: timeline.hash(),
    events: timeline.events,
    samples: expected.samples.size,
    lost: found.lost,
    doubled: found.doubled,
    outOfOrder: found.outOfOrder,
    violations,
  };
}

/** Half of the schedules meet all faults, the others only some: a crowd of faults hides what a single one does. */
function someKinds(random: Random): ReadonlySet<FaultKind> {
  const isAll = random.chance(0.5);
  return new Set(faultKinds.filter(() => isAll || random.chance(0.3)));
}

/** Counts calls of an engine that are under way: it works outside of simulated time. */
function counted(engine: Engine, count: (change: 1 | -1) => void): Engine {
  const during = async <Result>(work: Promise<Result>): Promise<Result> => {
    count(1);
    try {
      return await work;
    } finally {
      count(-1);
    }
  };
  return {
    async compile(spec) {
      const model = await during(engine.compile(spec));
      return {
        ...model,
        train: (...run) => during(model.train(...run)),
        predict: (...samples) => during(model.predict(...samples)),
      };
    },
  };
}

function publishedNeverGoesBack(
  { objects }: Cloud['bucket'],
  key: string,
  body: Uint8Array,
): string | undefined {
  if (!key.endsWith('/state.safetensors')) return undefined;
  const [next, highest] = [decodeCheckpoint(body).sequence, published.get(objects)?.get(key) ?? 0];
  published.set(objects, new Map(published.get(objects)).set(key, Math.max(next, highest)));
  return next < highest ? `${key} went back from ${highest} to ${next}` : undefined;
}
/** The highest published sequence number by bucket and key. */
const published = new WeakMap<object, Map<string, number>>();

/** Starts all that is sent: producers, jobs, and a day on which the queues are made anew. */
function startSenders(
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
    for (const job of ['nightly', 'second'].slice(0, random.pick([0, 0, 1, 2]))) {
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
    const retraction = { messages: [message.id], samples: [] };
    const { job, digest, from } = await prepareRetraction(ports, model, retraction);
    await sendCommand(cloud, name, JSON.stringify({ retract: { job, digest, from, ...retraction } }));
  } catch (error) {
    // Not there, a promotion in between, or S3 does not answer: the operator tries another day.
    if (!(error instanceof MillraceError) || error.kind === 'corrupt') throw error;
  }
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

/** The stack is removed, with all that its queues hold, and deployed again over the kept bucket. */
function recreateQueues(cloud: Cloud, expected: Expected): void {
  cloud.timeline.record('the queues are created again');
  for (const id of expected.unanswered) expected.repeatable.add(id);
  for (const { body } of [...cloud.samples.messages(), ...cloud.samples.takeDeadLetters()]) {
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

/** Dead letters go back to their queues, as new messages; those that the journal holds already do not. */
async function redrive(cloud: Cloud): Promise<void> {
  const ports = cloud.portsOf({ name: 'redrive', isDead: false, onDeath: () => undefined });
  const letters = cloud.samples.takeDeadLetters().map((letter) => ({ ...letter, queue: cloud.samples.arn }));
  await redriveSamples(ports, letters);
  for (const { id, body, group } of cloud.jobs.takeDeadLetters()) {
    await ports.sendJob({ body, group, deduplication: id });
  }
}
