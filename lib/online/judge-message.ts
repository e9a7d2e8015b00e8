import type { BucketPorts } from '../bucket/object-store.ts';
import type { SettledMessage } from '../commands/header.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits as bounds } from '../limits.ts';
import { refuse } from '../refusal.ts';
import { type Judgement, judge } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import type { ParsedMessage } from './messages.ts';

/** What the ledger says of a message, or that a delivery of the dead letter that it was has settled it. */
export type MessageJudgement = Judgement | { readonly verdict: 'overtaken' };

/**
 * What is to become of a message: what the ledger says of it, and of a dead letter that was redriven under a number
 * also what the journal says. A delivery of the letter that still ran may have been faster: then it is `overtaken`, and
 * its number is settled without an effect.
 *
 * @param pending messages that the entry to come settles
 */
export async function judgeMessage(
  { store, limits }: BucketPorts,
  { model, sequence, ledger }: Pick<State, 'model' | 'sequence' | 'ledger'>,
  pending: readonly SettledMessage[],
  { identity, searchedTo = sequence }: ParsedMessage,
): Promise<MessageJudgement> {
  const judgement = judge(ledger, identity, limits);
  if (judgement.verdict !== 'new' || identity.by !== 'producer') return judgement;
  const { deadLetter } = identity;
  if (deadLetter === undefined) return judgement;
  const isLetter = ({ id }: SettledMessage) => id === deadLetter;
  if (pending.some(isLetter)) return { verdict: 'overtaken' };
  if (sequence - searchedTo > limits.deadLetterEntries) {
    const reason = `more than ${limits.deadLetterEntries} entries came since it was redriven; send it again with --retry`;
    return { verdict: 'refused', isFinal: true, ...refuse('letter-too-old', reason) };
  }
  const since = entriesAfter(store, model, searchedTo, { to: sequence, ahead: bounds.readsAtOnce });
  for await (const { header } of since) {
    if (header.messages.some(isLetter)) return { verdict: 'overtaken' };
  }
  return judgement;
}
