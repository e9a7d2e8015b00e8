import { reasonOf } from '../errors.ts';
import type { Ports, Sender } from './ports.ts';

/** What holding back needs of the world. */
export type QueueWatch = Pick<Ports, 'now' | 'pause' | 'log' | 'limits'> & {
  /** About how many messages wait in the queue, whoever sent them. */
  readonly waiting: () => Promise<number>;
};

const minute = 60_000;

/** Pauses double up to this one, of several seconds. */
const longestPause = 8;

/**
 * A sender that leaves room for others. A FIFO queue looks for message groups among its first
 * 120,000 messages alone, so that a larger backlog of one model would hold up all others. Whoever
 * sends `floodMessages` to one model within a minute waits while `queueMessages` wait in the queue;
 * who sends less never waits, and never asks.
 */
export function holdingBack(send: Sender, watch: QueueWatch): Sender {
  const { queueMessages, floodMessages } = watch.limits;
  const sent = new Map<string, number>();
  let countedFrom = Number.NEGATIVE_INFINITY;
  return async (message) => {
    if (Math.abs(watch.now() - countedFrom) >= minute) {
      sent.clear();
      countedFrom = watch.now();
    }
    const before = sent.get(message.group) ?? 0;
    const isFlood = before >= floodMessages;
    sent.set(message.group, isFlood ? 1 : before + 1);
    if (isFlood) await untilBelow(queueMessages, watch);
    await send(message);
  };
}

async function untilBelow(most: number, { waiting, pause, log }: QueueWatch): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let found: number;
    try {
      found = await waiting();
    } catch (error) {
      // Who may only send, sends.
      log.info('the queue does not say how much waits', { reason: reasonOf(error) });
      return;
    }
    if (found < most) return;
    if (attempt === 1)
      log.warn(`the queue is full: sending goes on when fewer than ${most} messages wait`, {
        waiting: found,
      });
    await pause(Math.min(attempt, longestPause));
  }
}
