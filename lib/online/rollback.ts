import { settleMessages, stateAt, withParameters } from '../fold/fold.ts';
import type { Model } from '../fold/model.ts';
import type { EntryHeader } from '../journal/entry.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import type { Change } from './learn-messages.ts';
import type { Command, ParsedMessage } from './messages.ts';
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
  const reject = (reason: string) =>
    rejectCommand(ports, model, state, parsed, { index: -1, field: 'rollback.to', reason });
  if (to > state.sequence) {
    return reject(`the journal ends at entry ${state.sequence} (found ${to})`);
  }
  const retracted = retractedAt(state, to);
  if (retracted !== undefined) return reject(retracted);
  const header: EntryHeader = {
    kind: 'rollback',
    ...commandCommon(ports, model, state, parsed),
    to,
  };
  return {
    entry: { header, samples: [] },
    state: withParameters(settleMessages(ports, state, header), await stateAt(ports, model, to)),
    settled: 1,
  };
}

/** Why there is no way back to an entry: its weights may have learnt what was retracted after it. */
export function retractedAt({ retractions }: State, to: number): string | undefined {
  const retraction = retractions.find(({ from, sequence }) => from <= to && to < sequence);
  if (retraction === undefined) return undefined;
  const { from, sequence } = retraction;
  return `entry ${sequence} retracted samples that entry ${to} may have learnt; go back to entry ${sequence} or a later one, or to one before ${from}`;
}
