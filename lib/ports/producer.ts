import type { Sender } from './ports.ts';

/**
 * Sends numbered messages of samples, which are learnt exactly once however often they are
 * delivered.
 */
export type Producer = {
  /** Sends the next message; its number is `seq`. */
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
  return {
    nextSeq: () => seq,
    async send(samples) {
      const body = JSON.stringify({ producer: name, seq, samples });
      await send({ body, group: model, deduplication: `${name}:${seq}` });
      seq += 1;
    },
  };
}
