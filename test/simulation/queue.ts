import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** A message as it lies in a queue. */
export type QueuedMessage = {
  readonly id: string;
  readonly body: string;
  readonly group: string;
  readonly sequenceNumber: string;
  /** Whether whoever sent it may send samples alone. */
  readonly isOfProducer?: boolean;
};

/** A message that was received; it can be deleted while it is invisible to others. */
export type Received = QueuedMessage & { readonly receipt: number; readonly receives: number };

type Entry = QueuedMessage & { receives: number; visibleAt: number; receipt: number };

/** Settings of a queue. */
export type QueueSettings = {
  readonly arn: string;
  readonly visibilityMilliseconds: number;
  readonly maximumReceives: number;
  /** Among how many of its messages it looks for groups; all unless given. */
  readonly looksThrough?: number;
};

/** An SQS FIFO queue with its dead-letter queue. */
export type FifoQueue = {
  readonly arn: string;
  /**
   * A second message of the group with the same deduplication id within five minutes is dropped.
   */
  readonly send: (
    body: string,
    group: string,
    deduplication: string,
    isOfProducer?: boolean,
  ) => void;
  /**
   * Up to `most` messages in order, never one of a group that has another in flight. A message that
   * was received too often goes to the dead letters instead.
   */
  readonly receive: (most: number) => readonly Received[];
  /** Deletes a message, unless it has become visible again since. */
  readonly remove: (message: Received) => void;
  /** Makes a received message visible again, at once or after some time. */
  readonly setVisibility: (message: Received, milliseconds: number) => void;
  /** When a message in flight becomes visible again; undefined if none is. */
  readonly nextVisible: () => number | undefined;
  readonly messages: () => readonly QueuedMessage[];
  readonly deadLetters: () => readonly QueuedMessage[];
  readonly removeDeadLetter: (letter: QueuedMessage) => void;
};

const deduplicationMilliseconds = 300_000;

/** What a queue needs of its cloud. */
export type QueueDrivers = {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly newId: () => string;
  /** Told when a message became a dead letter. */
  readonly died: (sequenceNumber: string) => void;
};

/** An empty queue. Its sequence numbers start anywhere and have gaps, as those of SQS. */
export function createQueue(
  { arn, visibilityMilliseconds, maximumReceives, looksThrough }: QueueSettings,
  { timeline, random, newId, died }: QueueDrivers,
): FifoQueue {
  const { now } = timeline;
  let entries: Entry[] = [];
  let dead: QueuedMessage[] = [];
  const sent = new Map<string, number>();
  let sequence = BigInt(random.integer(1, 1_000_000));
  let receipts = 0;
  const isVisible = ({ visibleAt }: Entry) => visibleAt <= now();
  const find = ({ id, receipt }: Received) =>
    entries.find((entry) => entry.id === id && entry.receipt === receipt && !isVisible(entry));
  return {
    arn,
    send(body, group, deduplication, isOfProducer = false) {
      const id = `${group}/${deduplication}`;
      const before = sent.get(id);
      if (before !== undefined && now() - before < deduplicationMilliseconds) return;
      sent.set(id, now());
      sequence += BigInt(random.integer(1, 256));
      const sequenceNumber = sequence.toString().padStart(20, '0');
      entries.push({
        id: newId(),
        body,
        group,
        sequenceNumber,
        isOfProducer,
        receives: 0,
        visibleAt: 0,
        receipt: 0,
      });
    },
    receive(most) {
      const blocked = new Set(
        entries.filter((entry) => !isVisible(entry)).map(({ group }) => group),
      );
      const seen = entries.slice(0, looksThrough);
      const ready = seen.filter(({ group }) => !blocked.has(group));
      const received: Received[] = [];
      for (const entry of ready) {
        if (received.length >= most) break;
        if (entry.receives >= maximumReceives) {
          dead.push(entry);
          died(entry.sequenceNumber);
          entries = entries.filter((each) => each !== entry);
          continue;
        }
        entry.receives += 1;
        entry.visibleAt = now() + visibilityMilliseconds;
        entry.receipt = ++receipts;
        received.push({ ...entry });
      }
      return received;
    },
    remove(message) {
      const entry = find(message);
      entries = entries.filter((each) => each !== entry);
    },
    setVisibility(message, milliseconds) {
      const entry = find(message);
      if (entry !== undefined) entry.visibleAt = now() + milliseconds;
    },
    nextVisible() {
      const times = entries.filter((entry) => !isVisible(entry)).map(({ visibleAt }) => visibleAt);
      return times.length === 0 ? undefined : Math.min(...times);
    },
    messages: () => entries,
    deadLetters: () => dead,
    removeDeadLetter({ id }) {
      dead = dead.filter((letter) => letter.id !== id);
    },
  };
}
