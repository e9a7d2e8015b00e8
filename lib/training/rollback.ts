import type { EntryHeader } from '../journal/entry.ts';
import type { State } from '../journal/state.ts';
import type { Ports } from '../ports/ports.ts';
import { settleMessages, stateAt, withParameters } from './fold.ts';
import type { Change } from './learn-messages.ts';
import type { Command, ParsedMessage } from './messages.ts';
import type { Model } from './model.ts';
import { commandCommon, rejectCommand } from './settle-command.ts';

/**
 * Puts the weights of an earlier entry in place of the current ones. Nothing is deleted, and the ledger stays: what
 * was settled since then stays settled, and the stream goes on from the old weights.
 */
export async function rollBack(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  { to }: Extract<Command, { kind: 'rollback' }>,
): Promise<Change> {
  if (to > state.sequence) {
    const reason = `the journal ends at entry ${state.sequence} (found ${to})`;
    return rejectCommand(ports, model, state, parsed, { index: -1, field: 'rollback.to', reason });
  }
  const header: EntryHeader = {
    kind: 'rollback',
    ...commandCommon(ports, model, state, parsed),
    to,
  };
  return {
    entry: { header, samples: [] },
    state: withParameters(settleMessages(state, header), await stateAt(ports, model, to)),
    settled: 1,
  };
}
