import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { limits } from '../../lib/limits.ts';
import { holdingBack } from '../../lib/ports/hold-back.ts';
import type { Sender } from '../../lib/ports/ports.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { chainEngine } from './chain-engine.ts';
import { type Cloud, createCloud } from './cloud.ts';
import { createFaults, type FaultKind } from './faults.ts';
import { startFunctions } from './functions.ts';
import { createRandom } from './random.ts';
import { simulatedSpec } from './schedule.ts';
import { smallLimits } from './small-limits.ts';
import { createTimeline } from './timeline.ts';
import { pause, tryAgain } from './try-again.ts';

const second = 1_000;
const [looksThrough, queueMessages, floodMessages] = [120, 60, 5];
const kinds = new Set<FaultKind>(['answer-lost', 'conflict', 'send-failed', 'send-answer-lost']);

/** How a process sends to the samples queue of a cloud. */
type SenderOf = (cloud: Cloud, name: string) => Sender;

const asItIs: SenderOf = (cloud, name) =>
  cloud.portsOf({ name, isDead: false, onDeath: () => undefined }).sendSamples;

const heldBack: SenderOf = (cloud, name) => {
  const ports = cloud.portsOf({ name, isDead: false, onDeath: () => undefined });
  const waiting = async () => cloud.samples.messages().length;
  return holdingBack(ports.sendSamples, {
    ...ports,
    limits: { ...limits, queueMessages, floodMessages },
    now: () => cloud.timeline.now(),
    waiting,
  });
};

const sample = (id: number) => ({ features: { id, kind: 'a' }, label: id % 7 });

/** Sends messages one after the other, as fast as they are taken or with pauses between them. */
async function sendAll(
  cloud: Cloud,
  send: Sender,
  { model, name, count, pauseSeconds }: Stream,
  onSent: (seq: number) => void = () => undefined,
): Promise<void> {
  const producer = createProducer(send, model, name);
  for (let i = 1; i <= count; i++) {
    await tryAgain(cloud, cloud.random, false, () => producer.send([sample(i)]));
    onSent(i);
    if (pauseSeconds > 0) await pause(cloud.timeline, pauseSeconds * second);
  }
}

type Stream = {
  readonly model: string;
  readonly name: string;
  readonly count: number;
  readonly pauseSeconds: number;
};

/**
 * Ten producers flood one model; another one gets a message every few seconds.
 *
 * @returns the longest that a message of the other one waited, in seconds, and what was not learnt
 */
async function flood(seed: number, senderOf: SenderOf) {
  const random = createRandom(seed, 1);
  const timeline = createTimeline(() => false, false);
  const faults = createFaults(seed, { rate: 0.01, isOver: () => false, kinds, kept: undefined });
  const queue = { visibilityMilliseconds: 720 * second, maximumReceives: 50 };
  const cloud = createCloud({
    timeline,
    random,
    faults,
    engine: chainEngine,
    samples: { ...queue, arn: 'arn:aws:sqs:simulated:samples-1', looksThrough },
    jobs: { ...queue, arn: 'arn:aws:sqs:simulated:jobs-1' },
    limits: { ...smallLimits, producers: 16 },
  });
  for (const model of ['flooded', 'other'])
    cloud.bucket.put(keys.spec(model), Buffer.from(JSON.stringify({ ...simulatedSpec, model })));
  startFunctions(cloud, () => 1);
  let longest = 0;
  const watch = (seq: number, sentAt: number) => {
    const isThere = cloud.samples
      .messages()
      .some(({ group, body }) => group === 'other' && body.includes(`"seq":${seq},`));
    if (isThere) timeline.after(second, () => watch(seq, sentAt));
    else longest = Math.max(longest, timeline.now() - sentAt);
  };
  for (let i = 0; i < 10; i++) {
    const name = `flood-${i}`;
    const stream = { model: 'flooded', name, count: 100, pauseSeconds: 0 };
    void sendAll(cloud, senderOf(cloud, name), stream);
  }
  const stream = { model: 'other', name: 'till', count: 15, pauseSeconds: 2 };
  void sendAll(cloud, senderOf(cloud, 'till'), stream, (seq) => watch(seq, timeline.now()));
  await timeline.run();
  return { longestSeconds: longest / second, left: cloud.samples.messages().length };
}

describe('a backlog of one model', () => {
  const seeds = Array.from({ length: 3 }, (_, i) => i + 1);

  it('does not hold up another, where senders hold back', async () => {
    for (const seed of seeds) {
      const { longestSeconds, left } = await flood(seed, heldBack);
      expect(left).toBe(0);
      expect(longestSeconds, `seed ${seed}`).toBeLessThan(30);
    }
  });

  it('would, if they did not', async () => {
    for (const seed of seeds.slice(0, 1)) {
      const { longestSeconds, left } = await flood(seed, asItIs);
      expect(left).toBe(0);
      expect(longestSeconds, `seed ${seed}`).toBeGreaterThan(30);
    }
  });
});
