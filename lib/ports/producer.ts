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

/**
 * A sender of numbered messages for one model.
 *
 * @param name of the producer; no two senders may share one
 * @param nextSeq the number of the next message: 1 for a new producer. Keep it before sending, and
 *   go on from there after a crash: a number that was sent twice is learnt once
 */
export function createProducer(send: Sender, model: string, name: string, nextSeq = 1): Producer {
  let seq = nextSeq;
  /** A message that may have arrived or not, under the number `seq`. */
  let unanswered: string | undefined;
  let last: Promise<void> = Promise.resolve();

  const sendNext = async (body: string) => {
    unanswered = body;
    try {
      await send({ body, group: model, deduplication: deduplicationId(model, name, seq) });
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
        await sendNext(JSON.stringify({ producer: name, seq, samples }));
      });
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}
