import { createHash } from 'node:crypto';
import { isOfKind } from '../errors.ts';
import { deduplicationId } from './deduplication.ts';
import type { Sender } from './ports.ts';

/**
 * Sends numbered messages of samples, which are learnt exactly once however often they are
 * delivered.
 */
export type Producer = {
  /**
   * Sends the next message. Messages are sent one after the other, in the order of the calls. If
   * one fails, its number stays its own: the next call sends it again first, under the same number.
   */
  readonly send: (samples: readonly unknown[]) => Promise<void>;
  /** The number that the next message gets. */
  readonly nextSeq: () => number;
};

/** What stands for the content of a message: its JSON, without the number. */
export function contentDigest(content: object): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
}

/**
 * A sender of numbered messages for one model.
 *
 * @param name of the producer; no two senders may share one
 * @param nextSeq the number of the next message: 1 for a new producer. Keep it before sending, and
 *   go on from there after a crash: a number that was sent twice is learnt once. If something else
 *   is sent under one of a producer's latest numbers, that is refused, to quarantine
 */
export function createProducer(send: Sender, model: string, name: string, nextSeq = 1): Producer {
  let seq = nextSeq;
  /** A message that may have arrived or not, under the number `seq`. */
  let unanswered: readonly unknown[] | undefined;
  let last: Promise<void> = Promise.resolve();

  const sendNext = async (samples: readonly unknown[]) => {
    unanswered = samples;
    const body = JSON.stringify({ producer: name, seq, samples });
    // With its content: a number that was used for something else must reach the model, to be
    // noticed there.
    const deduplication = deduplicationId(model, name, seq, contentDigest({ samples }));
    try {
      await send({ body, group: model, deduplication });
    } catch (error) {
      // SQS never takes it, so its number is free.
      if (isOfKind(error, 'invalid')) unanswered = undefined;
      throw error;
    }
    unanswered = undefined;
    seq += 1;
  };
  return {
    nextSeq: () => seq,
    send(samples) {
      const sent = last.then(async () => {
        if (unanswered !== undefined) await sendNext(unanswered);
        await sendNext(samples);
      });
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}
