import type { SettledMessage } from '../journal/entry.ts';
import { type Judgement, judge, type Ledger } from '../journal/ledger.ts';
import { entriesAfter } from '../journal/reading.ts';
import type { State } from '../journal/state.ts';
import { limits } from '../limits.ts';
import type { ObjectStore } from '../ports/ports.ts';
import type { ParsedMessage } from './messages.ts';

/**
 * What is to become of a message: what the ledger says of it, and of a dead letter that was redriven under a number
 * also what the journal says. A delivery of the letter that still ran may have been faster: then it is `overtaken`, and
 * its number is settled without an effect.
 *
 * @param pending messages that the entry to come settles
 */
export async function judgeMessage(
  store: ObjectStore,
  { model, sequence }: Pick<State, 'model' | 'sequence'>,
  ledger: Ledger,
  pending: readonly SettledMessage[],
  { identity, searchedTo = sequence }: ParsedMessage,
): Promise<Judgement | { readonly verdict: 'overtaken' }> {
  const judgement = judge(ledger, identity);
  const { deadLetter } = identity;
  if (judgement.verdict !== 'new' || deadLetter === undefined) return judgement;
  const isLetter = ({ id }: SettledMessage) => id === deadLetter;
  if (pending.some(isLetter)) return { verdict: 'overtaken' };
  if (sequence - searchedTo > limits.deadLetterEntries) {
    const reason = `more than ${limits.deadLetterEntries} entries came since it was redriven; send it again with --retry`;
    return { verdict: 'refused', reason, isFinal: true };
  }
  for await (const { header } of entriesAfter(store, model, searchedTo, {
    to: sequence,
    ahead: limits.readsAtOnce,
  })) {
    if (header.messages.some(isLetter)) return { verdict: 'overtaken' };
  }
  return judgement;
}
