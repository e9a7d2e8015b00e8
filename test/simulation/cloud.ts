import type { ObjectStore, PutCondition, PutOutcome } from '../../lib/bucket/object-store.ts';
import { decodeSafetensors } from '../../lib/bucket/safetensors.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { MillraceError } from '../../lib/errors.ts';
import type { ProtocolLimits } from '../../lib/limits.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { refuse } from '../../lib/refusal.ts';
import { type Bucket, createBucket } from '../support/bucket.ts';
import { foldersOf, getChangedFrom, getFrom, listOf, putInto } from '../support/memory-store.ts';
import { die, makeCall, type Process, performCall } from './calls.ts';
import type { Faults } from './faults.ts';
import { createQueue, type FifoQueue, type QueueSettings } from './queue.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** Everything around the code under test, from one seed. */
export type Cloud = {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly faults: Faults;
  readonly bucket: Bucket;
  samples: FifoQueue;
  jobs: FifoQueue;
  /** Called when something was sent. */
  onSend: () => void;
  /** Called when a message became a dead letter. */
  onDeadLetter: () => void;
  /** The ports of a process. */
  readonly portsOf: (process: Process) => Ports;
  readonly newQueue: (settings: QueueSettings) => FifoQueue;
  /** `<queue>/<sequence number>` of all that were ever dead letters. */
  readonly everDead: ReadonlySet<string>;
  /** The highest sequence number that was published, by key. */
  readonly published: Map<string, number>;
  /** Invariants that were broken while it ran. */
  readonly violations: string[];
};

/** Settings of {@link createCloud}. */
export type CloudSettings = {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly faults: Faults;
  readonly engine: Engine;
  readonly samples: QueueSettings;
  readonly jobs: QueueSettings;
  /** Small bounds, so that a schedule of some messages meets them. */
  readonly limits: ProtocolLimits;
};

const startOfTime = Date.UTC(2026, 0, 1);
const day = 86_400_000;

/** A cloud with an empty bucket and empty queues. */
export function createCloud(settings: CloudSettings): Cloud {
  const { timeline, random, faults } = settings;
  const everDead = new Set<string>();
  let ids = 0;
  const newId = () => `00000000-0000-4000-8000-${String(ids++).padStart(12, '0')}`;
  const newQueue = (queue: QueueSettings) =>
    createQueue(queue, {
      timeline,
      random,
      newId,
      died(number) {
        everDead.add(`${queue.arn}/${number}`);
        cloud.onDeadLetter();
      },
    });
  const cloud: Cloud = {
    timeline,
    random,
    faults,
    bucket: createBucket(),
    violations: [],
    published: new Map(),
    everDead,
    samples: newQueue(settings.samples),
    jobs: newQueue(settings.jobs),
    onSend: () => undefined,
    onDeadLetter: () => undefined,
    newQueue,
    portsOf: portsIn(() => cloud, settings),
  };
  return cloud;
}

/** The ports of each process of a cloud; the clock's skew and the nonces are all processes'. */
function portsIn(cloudOf: () => Cloud, { engine, limits }: CloudSettings): Cloud['portsOf'] {
  let nonces = 0;
  let skew = 0;
  return (process) => {
    const cloud = cloudOf();
    return {
      store: storeOf(cloud, process),
      // Only the stack's own functions may send more than samples.
      sendSamples: senderOf(cloud, process, () => cloud.samples, !process.name.startsWith('batch')),
      sendJob: senderOf(cloud, process, () => cloud.jobs),
      // The relay is a sender among others; its own queue would change no order.
      sendCommand: senderOf(cloud, process, () => cloud.samples),
      pause: (attempt) =>
        new Promise((resolve) =>
          cloud.timeline.after(cloud.random.integer(25, 100 * attempt), resolve),
        ),
      now() {
        if (cloud.faults.strike('clock-jump')) skew = cloud.random.integer(-10 * day, 10 * day);
        return startOfTime + cloud.timeline.now() + skew;
      },
      nonce: () => `nonce-${nonces++}`,
      engine: withinMemory(engine, cloud, process),
      limits,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    };
  };
}

/** An engine in a process: now and then it needs more memory than there is. */
function withinMemory(engine: Engine, { timeline, faults }: Cloud, process: Process): Engine {
  const never = new Promise<never>(() => undefined);
  return {
    async compile(spec) {
      const model = await engine.compile(spec);
      return {
        ...model,
        train(...run) {
          if (!faults.strike('out-of-memory')) return model.train(...run);
          die(timeline, process, 'for want of memory');
          return never;
        },
      };
    },
  };
}

function storeOf(cloud: Cloud, process: Process): ObjectStore {
  const { bucket, faults } = cloud;
  const read = <Answer>(what: string, perform: () => Answer) =>
    makeCall(cloud, process, {
      what,
      perform,
      fail: () => (faults.strike('read-failed') ? unavailable('the body ended early') : undefined),
    });
  return {
    bucket: 'simulated',
    get: (key, part) => read(`gets ${key}`, () => getFrom(bucket, key, part)),
    getChanged: (key, etag) =>
      read(`gets ${key} if it changed`, () => getChangedFrom(bucket, key, etag)),
    put: (key, body, condition) => put(cloud, process, { key, body, condition }),
    list: (prefix) =>
      makeCall(cloud, process, { what: `lists ${prefix}`, perform: () => listOf(bucket, prefix) }),
    folders: (prefix) =>
      makeCall(cloud, process, {
        what: `lists folders of ${prefix}`,
        perform: () => foldersOf(bucket, prefix),
      }),
  };
}

type Put = {
  readonly key: string;
  readonly body: Uint8Array;
  readonly condition: PutCondition | undefined;
};

function put(cloud: Cloud, process: Process, { key, body, condition }: Put): Promise<PutOutcome> {
  const { bucket, faults, random, timeline } = cloud;
  const perform = () => {
    const outcome = putInto(bucket, key, body, condition);
    if (outcome.ok && key.endsWith('/state.safetensors')) watchPublication(cloud, key, body);
    return outcome;
  };
  const what = `puts ${key}${condition === undefined ? '' : ` if ${Object.keys(condition)}`}`;
  if (condition !== undefined && faults.strike('conflict')) {
    const conflict: PutOutcome = refuse('conflict', 'ConditionalRequestConflict');
    return makeCall(cloud, process, { what, perform: () => conflict });
  }
  return makeCall(cloud, process, {
    what,
    perform: () => (faults.strike('sent-twice') && perform().ok ? perform() : perform()),
    fail() {
      if (faults.strike('refused')) return unavailable('503 SlowDown');
      if (faults.strike('answer-lost')) {
        performCall(timeline, process, `${what}, unheard`, perform);
        return unavailable('timed out');
      }
      if (!faults.strike('late-write')) return undefined;
      const late = () => void performCall(timeline, process, `${what}, late`, perform);
      timeline.after(random.integer(1_000, 900_000), late);
      return unavailable('timed out');
    },
  });
}

function watchPublication({ published, violations }: Cloud, key: string, body: Uint8Array): void {
  const next = Number(decodeSafetensors(body).metadata.sequence);
  const highest = published.get(key) ?? 0;
  published.set(key, Math.max(next, highest));
  if (next < highest) violations.push(`${key} went back from ${highest} to ${next}`);
}

function senderOf(
  cloud: Cloud,
  process: Process,
  queue: () => FifoQueue,
  isOfProducer = false,
): Ports['sendSamples'] {
  const { faults, timeline } = cloud;
  return (message) => {
    const what = `sends ${message.deduplication}`;
    const perform = () => {
      queue().send(message.body, message.group, message.deduplication, isOfProducer);
      cloud.onSend();
    };
    return makeCall(cloud, process, {
      what,
      perform,
      fail() {
        if (faults.strike('send-failed')) return unavailable('SQS did not answer');
        if (!faults.strike('send-answer-lost')) return undefined;
        performCall(timeline, process, `${what}, unheard`, perform);
        return unavailable('timed out');
      },
      isNeverSlow: true,
    });
  };
}

function unavailable(reason: string): () => never {
  return () => {
    throw new MillraceError('unavailable', reason);
  };
}
