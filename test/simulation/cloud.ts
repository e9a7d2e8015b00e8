import type { PutCondition } from '../../lib/bucket/object-store.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { MillraceError } from '../../lib/errors.ts';
import type { ProtocolLimits } from '../../lib/limits.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { refuse } from '../../lib/refusal.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint.ts';
import { type Bucket, createBucket } from '../support/bucket.ts';
import { getFrom, listOf, putInto } from '../support/memory-store.ts';
import type { Faults } from './faults.ts';
import { createQueue, type FifoQueue, type QueueSettings } from './queue.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** A process: once it is dead, nothing that it asked for answers, and nothing that it would ask next happens. */
export type Process = { readonly name: string; isDead: boolean; readonly onDeath: () => void };

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
  const { timeline, random, faults, engine } = settings;
  const bucket = createBucket();
  const violations: string[] = [];
  const published = new Map<string, number>();
  const everDead = new Set<string>();
  let ids = 0;
  let nonces = 0;
  let skew = 0;
  const newId = () => `00000000-0000-4000-8000-${String(ids++).padStart(12, '0')}`;
  const newQueue = (queue: QueueSettings) =>
    createQueue(queue, timeline, random, newId, (number) => {
      everDead.add(`${queue.arn}/${number}`);
      cloud.onDeadLetter();
    });

  /**
   * One call of a port: some milliseconds later it takes effect and answers, unless the process has died by then.
   * What a dying process had sent may still arrive.
   */
  const call = <Answer>(
    process: Process,
    what: string,
    perform: () => Answer,
    fail: () => (() => never) | undefined = () => undefined,
    canBeSlow = true,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (process.isDead) return;
      const die = (when: string) => {
        timeline.record(`${process.name} dies ${when} ${what}`);
        process.isDead = true;
        process.onDeath();
      };
      const latency =
        canBeSlow && faults.strike('slow') ? random.integer(5_000, 400_000) : random.integer(1, 40);
      timeline.after(latency, () => {
        if (process.isDead) {
          if (random.chance(0.5)) record(process, `${what}, after its death`, perform);
          return;
        }
        if (faults.strike('crash-before')) return die('before');
        const failure = fail();
        if (failure !== undefined) {
          try {
            failure();
          } catch (error) {
            timeline.record(
              `${process.name} ${what}: ${error instanceof Error ? error.message : error}`,
            );
            reject(error);
          }
          return;
        }
        const answer = record(process, what, perform);
        if (faults.strike('crash-after')) return die('after');
        resolve(answer);
      });
    });
  const record = <Answer>(process: Process, what: string, perform: () => Answer): Answer => {
    const answer = perform();
    const brief =
      JSON.stringify(answer, (key, value) => (key === 'body' ? undefined : value)) ?? '';
    timeline.record(`${process.name} ${what} ${brief.slice(0, 60)}`);
    return answer;
  };
  const unavailable = (reason: string) => (): never => {
    throw new MillraceError('unavailable', reason);
  };

  const watchPublication = (key: string, body: Uint8Array) => {
    const [next, highest] = [decodeCheckpoint(body).sequence, published.get(key) ?? 0];
    published.set(key, Math.max(next, highest));
    if (next < highest) violations.push(`${key} went back from ${highest} to ${next}`);
  };

  const put = (process: Process, key: string, body: Uint8Array, condition?: PutCondition) => {
    const perform = () => {
      const outcome = putInto(bucket, key, body, condition);
      if (outcome.ok && key.endsWith('/state.safetensors')) watchPublication(key, body);
      return outcome;
    };
    const what = `puts ${key}${condition === undefined ? '' : ` if ${Object.keys(condition)}`}`;
    if (condition !== undefined && faults.strike('conflict')) {
      return call(process, what, () => refuse('conflict', 'ConditionalRequestConflict'));
    }
    return call(
      process,
      what,
      () => (faults.strike('sent-twice') && perform().ok ? perform() : perform()),
      () => {
        if (faults.strike('refused')) return unavailable('503 SlowDown');
        if (faults.strike('answer-lost')) {
          record(process, `${what}, unheard`, perform);
          return unavailable('timed out');
        }
        if (!faults.strike('late-write')) return undefined;
        timeline.after(
          random.integer(1_000, 900_000),
          () => void record(process, `${what}, late`, perform),
        );
        return unavailable('timed out');
      },
    );
  };

  const send =
    (process: Process, queue: () => FifoQueue): Ports['sendSamples'] =>
    (message) => {
      const perform = () => {
        queue().send(message.body, message.group, message.deduplication);
        cloud.onSend();
      };
      return call(
        process,
        `sends ${message.deduplication}`,
        perform,
        () => {
          if (faults.strike('send-failed')) return unavailable('SQS did not answer');
          if (!faults.strike('send-answer-lost')) return undefined;
          record(process, `sends ${message.deduplication}, unheard`, perform);
          return unavailable('timed out');
          // A send without a number that takes longer than SQS remembers it is another message.
        },
        false,
      );
    };

  const cloud: Cloud = {
    timeline,
    random,
    faults,
    bucket,
    violations,
    published,
    everDead,
    samples: newQueue(settings.samples),
    jobs: newQueue(settings.jobs),
    onSend: () => undefined,
    onDeadLetter: () => undefined,
    newQueue,
    portsOf: (process) => ({
      store: {
        bucket: 'simulated',
        get: (key) =>
          call(
            process,
            `gets ${key}`,
            () => getFrom(bucket, key),
            () => (faults.strike('read-failed') ? unavailable('the body ended early') : undefined),
          ),
        put: (key, body, condition) => put(process, key, body, condition),
        list: (prefix) => call(process, `lists ${prefix}`, () => listOf(bucket, prefix)),
      },
      sendSamples: send(process, () => cloud.samples),
      sendJob: send(process, () => cloud.jobs),
      now() {
        if (faults.strike('clock-jump')) skew = random.integer(-10 * day, 10 * day);
        return startOfTime + timeline.now() + skew;
      },
      nonce: () => `nonce-${nonces++}`,
      engine,
      limits: settings.limits,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    }),
  };
  return cloud;
}
