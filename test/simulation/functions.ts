import { MillraceError, reasonOf } from '../../lib/errors.ts';
import { settleJob } from '../../lib/jobs/settle-job.ts';
import { limits } from '../../lib/limits.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { pauseSeconds } from '../../lib/ports/redelivery.ts';
import type { Process } from './calls.ts';
import type { Cloud } from './cloud.ts';
import type { FifoQueue, Received } from './queue.ts';

/** A warm machine of a function: what its process keeps between invocations. */
type Machine = { readonly cache: ModelCache; isBusy: boolean };

type Delivery = {
  readonly queue: string;
  readonly messages: readonly Received[];
  readonly secondsLeft: () => number;
};

/**
 * What an invocation does with a delivery; answers the messages that must come back, and what
 * models failed with.
 */
type Handler = (
  ports: Ports,
  machine: Machine,
  delivery: Delivery,
) => Promise<{ readonly unsettled: readonly Unsettled[]; readonly errors: readonly unknown[] }>;

/** A message that comes back, and after how many seconds the function wants it to. */
type Unsettled = { readonly message: Received; readonly seconds: number };

/** The body of `functions/online-update.ts`. */
const onlineUpdate: Handler = async (ports, { cache }, { queue, messages, secondsLeft }) => {
  const records = messages.map((message) => ({ ...message, queue }));
  const outcomes = await settleDelivery(ports, cache, records, secondsLeft);
  const pauses = new Map(
    outcomes.flatMap(({ unsettled, pauseSeconds: seconds }) =>
      unsettled.map(({ id }) => [id, seconds] as const),
    ),
  );
  return {
    unsettled: messages.flatMap((message) => {
      const seconds = pauses.get(message.id);
      return seconds === undefined ? [] : [{ message, seconds }];
    }),
    errors: outcomes.flatMap(({ error }) => (error === undefined ? [] : [error])),
  };
};

/** The body of `functions/batch-train.ts`: slice by slice; what fails comes back. */
const batchTrain: Handler = async (ports, _machine, { messages, secondsLeft }) => {
  for (const message of messages) {
    try {
      await settleJob(ports, message, secondsLeft);
    } catch (error) {
      const seconds = pauseSeconds(message.receives, limits.longestJobPauseSeconds);
      return { unsettled: [{ message, seconds }], errors: [error] };
    }
  }
  return { unsettled: [], errors: [] };
};

/**
 * What an invocation may fail with; a model whose spec was overwritten is stopped until it is put
 * back.
 */
export function isExpected(error: unknown): boolean {
  if (!(error instanceof MillraceError)) return false;
  return error.kind !== 'corrupt' || error.code === 'spec-changed';
}

type Source = {
  readonly queue: () => FifoQueue;
  readonly name: string;
  readonly handler: Handler;
  readonly timeoutSeconds: number;
  readonly messagesAtOnce: () => number;
};

/**
 * How many invocations of one function run at a time: groups in flight block each other, zombies do
 * not count.
 */
const concurrency = 3;

/** Polls both queues and invokes their functions, as Lambda does. */
export function startFunctions(cloud: Cloud, deliverySize: () => number): void {
  const sources: readonly Source[] = [
    {
      queue: () => cloud.samples,
      name: 'online',
      handler: onlineUpdate,
      timeoutSeconds: limits.onlineTimeoutSeconds,
      messagesAtOnce: deliverySize,
    },
    {
      queue: () => cloud.jobs,
      name: 'batch',
      handler: batchTrain,
      timeoutSeconds: limits.batchTimeoutSeconds,
      messagesAtOnce: () => 1,
    },
  ];
  const wakes = sources.map((source) => startSource(cloud, source));
  cloud.onSend = () => {
    for (const wake of wakes) wake();
  };
}

/** What runs one function: its machines, and when it looks into its queue again. */
type Runner = {
  readonly cloud: Cloud;
  readonly source: Source;
  readonly machines: Machine[];
  invocations: number;
  /** Invocations that run and are not zombies. */
  running: number;
  awakeAt: number | undefined;
};

/** Polls one queue; the answer asks it to look again soon. */
function startSource(cloud: Cloud, source: Source): () => void {
  const runner: Runner = {
    cloud,
    source,
    machines: [],
    invocations: 0,
    running: 0,
    awakeAt: undefined,
  };
  return () => wake(runner);
}

function wake(runner: Runner, milliseconds = runner.cloud.random.integer(1, 100)): void {
  const { timeline } = runner.cloud;
  const time = timeline.now() + milliseconds;
  if (runner.awakeAt !== undefined && runner.awakeAt <= time) return;
  runner.awakeAt = time;
  timeline.after(milliseconds, () => {
    if (runner.awakeAt !== time) return;
    runner.awakeAt = undefined;
    poll(runner);
  });
}

function poll(runner: Runner): void {
  const { cloud, source } = runner;
  const { timeline, random, faults } = cloud;
  const queue = source.queue();
  if (runner.running < concurrency) {
    const messages = queue.receive(source.messagesAtOnce());
    if (messages.length > 0) {
      if (faults.strike('delivered-late')) {
        timeline.after(random.integer(1_000, 1_800_000), () => invoke(runner, queue, messages));
      } else invoke(runner, queue, messages);
      if (faults.strike('delivered-twice')) invoke(runner, queue, messages);
      wake(runner);
      return;
    }
  }
  const next = queue.nextVisible();
  if (next !== undefined) wake(runner, next - timeline.now() + 1);
}

function takeMachine({ cloud: { faults }, machines }: Runner): Machine {
  const idle = machines.find(({ isBusy }) => !isBusy);
  const machine: Machine =
    idle === undefined || faults.strike('cold-start') ? { cache: new Map(), isBusy: true } : idle;
  machine.isBusy = true;
  if (!machines.includes(machine)) machines.push(machine);
  return machine;
}

function invoke(runner: Runner, queue: FifoQueue, messages: readonly Received[]): void {
  const { cloud, source, machines } = runner;
  const { timeline } = cloud;
  const machine = takeMachine(runner);
  const name = `${source.name}-${runner.invocations++}`;
  runner.running += 1;
  let isOver = false;
  /** What Lambda sees: an answer, or a failure; whichever comes first. */
  const end = (outcome: string, unsettled: readonly Unsettled[]) => {
    if (isOver) return;
    isOver = true;
    runner.running -= 1;
    timeline.record(`${name} ${outcome}, ${unsettled.length} of ${messages.length} come back`);
    giveBack(cloud, queue, { messages, unsettled });
    wake(runner);
  };
  const isGone = () => {
    const place = machines.indexOf(machine);
    if (place >= 0) machines.splice(place, 1);
  };
  const process: Process = {
    name,
    isDead: false,
    onDeath() {
      isGone();
      end('died', afterTimeout(messages));
    },
  };
  const deadline = limitTime(runner, () => {
    if (isOver) return;
    // Its code may be frozen and go on later, in the machine's next invocation or in none.
    if (cloud.random.chance(0.5)) process.isDead = true;
    if (process.isDead || cloud.random.chance(0.5)) isGone();
    else machine.isBusy = false;
    end('timed out', afterTimeout(messages));
  });
  timeline.record(`${name} starts with ${messages.map(({ id }) => Number(id.slice(-12))).join()}`);
  const secondsLeft = () => (deadline - timeline.now()) / 1_000;
  const delivery = { queue: queue.arn, messages, secondsLeft };
  source
    .handler(cloud.portsOf(process), machine, delivery)
    .catch((error: unknown) => ({ unsettled: afterTimeout(messages), errors: [error] }))
    .then(({ unsettled, errors }) => {
      machine.isBusy = false;
      for (const error of errors) report(cloud, name, error);
      end(errors.length > 0 ? 'fails' : 'answers', unsettled);
    });
}

/** What nobody gave back is visible again after the queue's own timeout. */
function afterTimeout(messages: readonly Received[]): readonly Unsettled[] {
  return messages.map((message) => ({ message, seconds: Number.POSITIVE_INFINITY }));
}

/** Messages that come back are visible when the function said, if that is not lost, or later. */
function giveBack(
  { faults }: Cloud,
  queue: FifoQueue,
  {
    messages,
    unsettled,
  }: { readonly messages: readonly Received[]; readonly unsettled: readonly Unsettled[] },
): void {
  for (const message of messages) {
    const { seconds } = unsettled.find((each) => each.message === message) ?? {};
    if (seconds === undefined) {
      if (!faults.strike('deletion-lost')) queue.remove(message);
    } else if (seconds < Number.POSITIVE_INFINITY && !faults.strike('visibility-lost')) {
      queue.setVisibility(message, seconds * 1_000);
    }
  }
}

/** Ends an invocation at its timeout. @returns when that is */
function limitTime({ cloud, source }: Runner, onTimeout: () => void): number {
  const { timeline, random, faults } = cloud;
  const milliseconds = faults.strike('little-time')
    ? limits.publishReserveSeconds * 1_000 + random.integer(0, 200)
    : source.timeoutSeconds * 1_000;
  const deadline = timeline.now() + milliseconds;
  timeline.after(milliseconds, onTimeout);
  return deadline;
}

function report({ violations }: Cloud, name: string, error: unknown): void {
  if (!isExpected(error)) violations.push(`${name}: ${reasonOf(error)}`);
}
