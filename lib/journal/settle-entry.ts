import type { SettledMessage } from '../commands/header.ts';
import { invariant } from '../errors.ts';
import { judge, type Ledger, type LedgerLimits, settle } from '../state/ledger.ts';
import { identityOf } from './entry.ts';

/**
 * The ledger after an entry: all of its messages are settled.
 *
 * @throws MillraceError kind `corrupt` if one of them was learnt though it was settled before
 */
export function settleEntry(
  before: Ledger,
  {
    sequence,
    messages,
  }: { readonly sequence: number; readonly messages: readonly SettledMessage[] },
  limits: LedgerLimits,
): Ledger {
  let ledger = before;
  for (const message of messages) {
    const identity = identityOf(message);
    const { verdict } = judge(ledger, identity, limits);
    // One that was rejected has no effect: a ledger that an earlier release wrote may not have
    // known that it was a repetition, where one that is folded from the beginning does.
    invariant(
      verdict !== 'settled' || message.outcome === 'rejected',
      `message ${message.id} of entry ${sequence} was settled before`,
    );
    // A message that the ledger refuses is in quarantine; an evicted producer must not come back by
    // it.
    // Releases before 0.3 let any new producer take the place of another.
    const wasTakenIn = verdict === 'refused' && message.outcome === 'learnt';
    if (verdict === 'new' || wasTakenIn) ledger = settle(ledger, identity, sequence, limits);
  }
  return { ...ledger, at: sequence };
}
