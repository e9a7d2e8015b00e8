import type { Reach } from '../commands/command.ts';
import { evolve } from '../commands/commands.ts';
import { ifOutOfTime, invariant, outOfTime, specChanged } from '../errors.ts';
import { claimAsked, learntLabels } from '../journal/asked.ts';
import { assertSpec, type Entry } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { settleEntry } from '../journal/settle-entry.ts';
import { untilStopped } from '../model/interruptible.ts';
import { type Model, modelOf, modelOfState } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import { stateBefore } from './arithmetics.ts';
import type { ForwardBounds, ShouldStop } from './catch-up.ts';
import { caughtUpChallenger } from './challenger.ts';
import { keepState, lastCheckpoint, loadCheckpoint } from './checkpoints.ts';
import { labelsLeft } from './exclusions.ts';
import { readSampleObject } from './sample-objects.ts';

/** By what a journal is folded. */
export type Folding = {
  /** With any of its specs: an entry is applied by the one that it was made with. */
  readonly model: Model;
  /** An entry is broken off where it says so; none unless given. */
  readonly shouldStop?: ShouldStop | undefined;
};

/**
 * The state that an entry leads to: `state(n) = apply(state(n−1), entry(n))`, the same to the bit
 * wherever and whenever it is computed with the same arithmetic.
 *
 * @throws MillraceError kind `corrupt` if the entry does not follow the state, or settles a message
 *   again; `unavailable` with the code `out-of-time` if there is no time left for it
 */
export async function applyEntry(
  ports: Ports,
  { model, shouldStop }: Folding,
  folded: State,
  entry: Entry,
): Promise<State> {
  const { header, samples } = entry;
  const { sequence, nonce, engine: entryArithmetic } = header;
  const state = await stateBefore(ports, model, folded, header);
  invariant(sequence === state.sequence + 1, `entry ${sequence} follows state ${state.sequence}`);
  assertSpec(header, state.specHash);
  const own = await modelOf(ports, model, header.spec);
  if (own === undefined) throw specChanged(`entry ${sequence} was made with a different spec`);
  const ledger = settleEntry(state.ledger, header, ports.limits);
  const settled = { ...state, sequence, nonce, entryArithmetic, ledger };
  const { now } = ports;
  const paced = shouldStop ? untilStopped(own, { now, shouldStop }, `entry ${sequence}`) : own;
  const reach = reachOf(ports, { model: paced, shouldStop }, state);
  const next = await evolve(reach, settled, { header, samples });
  const { compiled } = await modelOfState(ports, own, next);
  return { ...next, arithmetic: compiled.engine };
}

/**
 * What a command of a model reaches beyond the state, where it is the next after an entry.
 *
 * @param after the state that the entry leads to
 */
export function reachOf(
  ports: Ports,
  { model, shouldStop }: Folding,
  after: Pick<State, 'sequence' | 'model' | 'retractions'>,
): Reach {
  const entry = {
    sequence: after.sequence + 1,
    learnt: learntLabels(ports.store, model.name),
    ...(after.retractions.length > 0 && { left: labelsLeft(ports.store, after) }),
  };
  return {
    model,
    modelOf: (specHash) => modelOf(ports, model, specHash),
    stateAt: (sequence) => stateAt(ports, model, sequence, shouldStop),
    challenger: (file, to, by = model) => caughtUpChallenger(ports, by, file, { to, shouldStop }),
    claimAsked: (claim) => claimAsked(ports, model.name, claim, entry),
    sampleObject: (uri) => readSampleObject(ports.store, uri),
  };
}

/**
 * The state at an entry of the journal, folded from the last kept checkpoint before it; 0 is the
 * initial state.
 *
 * @throws MillraceError kind `corrupt` if the journal does not reach that far; `unavailable` with
 *   the code `out-of-time` if `shouldStop` said so: the state that was reached is kept, and the next
 *   attempt goes on from there
 */
export async function stateAt(
  ports: Ports,
  model: Model,
  sequence: number,
  shouldStop?: ShouldStop,
): Promise<State> {
  const kept = await lastCheckpoint(ports, model, sequence);
  const state = await readForward(ports, model, kept, { to: sequence, shouldStop });
  if (state.sequence === sequence) return state;
  if (state.sequence > kept.sequence) await keepState(ports, model, state);
  throw outOfTime(`folding ${model.name} to entry ${sequence} (${state.sequence} is reached)`);
}

/**
 * Applies the entries after a state until a key is missing, or up to entry `to`. If time runs out,
 * the answer is the state that was reached.
 */
export async function readForward(
  ports: Ports,
  model: Model,
  state: State,
  { to = Number.POSITIVE_INFINITY, shouldStop, mustStop = shouldStop, onEntry }: ForwardBounds = {},
): Promise<State> {
  let current = state;
  for await (const entry of entriesAfter(ports.store, model.name, state.sequence, { to })) {
    if (shouldStop?.()) break;
    const folding = { model, shouldStop: current === state ? mustStop : shouldStop };
    const next = await applyEntry(ports, folding, current, entry).catch(ifOutOfTime);
    if (next === 'out-of-time') break;
    current = next;
    onEntry?.(entry.header);
  }
  return current;
}

/** A model's state now: the newest checkpoint, and what the journal holds after it. */
export async function currentState(ports: Ports, model: Model): Promise<State> {
  return readForward(ports, model, (await loadCheckpoint(ports, model)).state);
}
