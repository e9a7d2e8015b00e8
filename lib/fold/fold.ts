import type { Reach } from '../commands/command.ts';
import { evolve } from '../commands/commands.ts';
import { invariant } from '../errors.ts';
import { assertSpec, type Entry, samplesByMessage } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { settleEntry } from '../journal/settle-entry.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import type { ForwardBounds } from './catch-up.ts';
import { caughtUpChallenger } from './challenger.ts';
import { lastCheckpoint, loadCheckpoint } from './checkpoints.ts';
import { readSampleObject } from './sample-objects.ts';

/**
 * The state that an entry leads to: `state(n) = apply(state(n−1), entry(n))`, the same to the bit
 * wherever and whenever it is computed on one kind of processor.
 *
 * @throws MillraceError kind `corrupt` if the entry does not follow the state, or settles a message
 *   again
 */
export async function applyEntry(
  ports: Ports,
  model: Model,
  state: State,
  entry: Entry,
): Promise<State> {
  const { header } = entry;
  const { sequence } = header;
  invariant(sequence === state.sequence + 1, `entry ${sequence} follows state ${state.sequence}`);
  assertSpec(header, state.specHash);
  const { nonce } = header;
  const ledger = settleEntry(state.ledger, header, ports.limits);
  const settled = { ...state, sequence, nonce, ledger };
  return evolve(reachOf(ports, model), settled, { header, samples: samplesByMessage(entry) });
}

/** What a command of a model reaches beyond the state. */
export function reachOf(ports: Ports, model: Model): Reach {
  return {
    model,
    parametersAt: (sequence) => stateAt(ports, model, sequence),
    challenger: (file, to) => caughtUpChallenger(ports, model, file, to),
    sampleObject: (uri) => readSampleObject(ports.store, uri),
  };
}

/**
 * The state at an entry of the journal, folded from the last kept checkpoint before it; 0 is the
 * initial state.
 *
 * @throws MillraceError kind `corrupt` if the journal does not reach that far
 */
export async function stateAt(ports: Ports, model: Model, sequence: number): Promise<State> {
  return readForward(ports, model, await lastCheckpoint(ports, model, sequence), { to: sequence });
}

/** Applies the entries after a state until a key is missing, or up to entry `to`. */
export async function readForward(
  ports: Ports,
  model: Model,
  state: State,
  { to = Number.POSITIVE_INFINITY, shouldStop = () => false }: ForwardBounds = {},
): Promise<State> {
  let current = state;
  for await (const entry of entriesAfter(ports.store, model.name, state.sequence, { to })) {
    if (shouldStop()) break;
    current = await applyEntry(ports, model, current, entry);
  }
  return current;
}

/** A model's state now: the newest checkpoint, and what the journal holds after it. */
export async function currentState(ports: Ports, model: Model): Promise<State> {
  return readForward(ports, model, (await loadCheckpoint(ports, model)).state);
}
