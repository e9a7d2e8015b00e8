import type { BucketPorts } from '../bucket/object-store.ts';
import type { SettledMessage } from '../commands/header.ts';
import { wasRefused } from '../journal/quarantine.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits as bounds } from '../limits.ts';
import { refuse } from '../refusal.ts';
import { type Judgement, judge, type ProducerRecord } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import type { ParsedMessage } from './messages.ts';

/**
 * The ledger's judgement of a message. `overtaken`: it is a redriven dead letter that was settled
 * meanwhile.
 */
export type MessageJudgement = Judgement | { readonly verdict: 'overtaken' };

/**
 * Judges a message. The ledger decides, except for a dead letter that was redriven under a number:
 * a delivery of the letter itself may still have been running, and have been faster. So the journal
 * is searched for the letter too; if it is there, the message is `overtaken`, and its number is
 * settled without an effect.
 *
 * @param pending messages that the entry to come settles
 */
export async function judgeMessage(
  { store, limits }: BucketPorts,
  { model, sequence, ledger }: Pick<State, 'model' | 'sequence' | 'ledger'>,
  pending: readonly SettledMessage[],
  { message, identity, searchedTo = sequence }: ParsedMessage,
): Promise<MessageJudgement> {
  const judgement = judge(ledger, identity, limits);
  if (judgement.verdict !== 'new' || identity.by !== 'producer') return judgement;
  // What the ledger had no room for is in quarantine. A late delivery of it finds room, but not its
  // place in the order. (The next number of a producer that always had room was never refused.)
  const record = ledger.producers.get(identity.producer);
  const isFull = ledger.producers.size >= limits.producers;
  const isNext = record?.highest === identity.seq - 1 && !isFull && cameInOrder(record);
  const mayBeRefused = !isNext && (ledger.producers.size > 0 || identity.seq > 1);
  if (mayBeRefused && (await wasRefused(store, model, message.id, sequence)))
    return { verdict: 'settled' };
  const { deadLetter } = identity;
  if (deadLetter === undefined) return judgement;
  const isLetter = ({ id }: SettledMessage) => id === deadLetter;
  if (pending.some(isLetter)) return { verdict: 'overtaken' };
  if (sequence - searchedTo > limits.deadLetterEntries) {
    const reason =
      `more than ${limits.deadLetterEntries} entries came since it was redriven; ` +
      'send it again with --retry';
    return { verdict: 'refused', isFinal: true, ...refuse('letter-too-old', reason) };
  }
  const since = headersAfter(store, model, searchedTo, { to: sequence, ahead: bounds.readsAtOnce });
  for await (const { messages } of since) {
    if (messages.some(isLetter)) return { verdict: 'overtaken' };
  }
  return judgement;
}

/** Whether a producer's latest numbers were settled in their order: others may have left gaps. */
function cameInOrder({ latest = [] }: ProducerRecord): boolean {
  return latest.every(([seq], i) => i === 0 || seq > (latest[i - 1]?.[0] ?? 0));
}
