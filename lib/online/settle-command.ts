import type { Refusal } from '../features/encoder.ts';
import { settleMessages } from '../fold/fold.ts';
import type { Model } from '../fold/model.ts';
import type { EntryHeader } from '../journal/entry.ts';
import { quarantine } from '../journal/quarantine.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import {
  type Change,
  entryCommon,
  type Outcome,
  quarantineSource,
  rejectedMessage,
  settledMessage,
} from './learn-messages.ts';
import type { ParsedMessage } from './messages.ts';

const nothing: Outcome = { samples: [], refused: [] };

/** What the entry of a command that was carried out has in common with every other. */
export function commandCommon(ports: Ports, model: Model, state: State, parsed: ParsedMessage) {
  const message = { ...settledMessage(parsed, nothing), outcome: 'learnt' as const };
  return entryCommon(ports, model, state, [message]);
}

/** Settles a command without an effect on the weights. */
export function settleWithout(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  outcome = nothing,
): Change {
  const messages = [settledMessage(parsed, outcome)];
  const header: EntryHeader = { kind: 'samples', ...entryCommon(ports, model, state, messages) };
  return { entry: { header, samples: [] }, state: settleMessages(ports, state, header), settled: 1 };
}

/** Puts a command that cannot be carried out into quarantine, and settles it. */
export async function rejectCommand(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  refusal: Refusal,
): Promise<Change> {
  const outcome = rejectedMessage(refusal);
  const source = quarantineSource(ports, parsed, outcome.refused, state.sequence + 1);
  const { refused } = outcome;
  await quarantine(ports, model.name, { message: parsed.message.id, ...source, refused });
  return settleWithout(ports, model, state, parsed, outcome);
}
