import { invalid, invariant, type MillraceError } from '../errors.ts';
import { type Entry, type EntryHeader, samplesByMessage } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { settleEntry } from '../journal/settle-entry.ts';
import { addScores } from '../metrics/scores.ts';
import type { Ports } from '../ports/ports.ts';
import type { Parameters, State } from '../state/state.ts';
import { readChallenger } from './challenger.ts';
import { lastCheckpoint, loadCheckpoint } from './checkpoints.ts';
import { learn, relearn } from './learn.ts';
import type { Model } from './model.ts';

type PromoteHeader = Extract<EntryHeader, { kind: 'promote' }>;
type RetractHeader = Extract<EntryHeader, { kind: 'retract' }>;
/** An entry that takes its weights from a file beside the journal. */
type ChallengerHeader = PromoteHeader | RetractHeader;
/** An entry that put other weights in place of those that the stream had led to. */
export type ReplacingHeader = Exclude<EntryHeader, { kind: 'samples' }>;

/**
 * The state that an entry leads to: `state(n) = apply(state(n−1), entry(n))`, the same to the bit wherever and
 * whenever it is computed on one kind of processor.
 *
 * @throws MillraceError kind `corrupt` if the entry does not follow the state, or settles a message again
 */
export async function applyEntry(ports: Ports, model: Model, state: State, entry: Entry): Promise<State> {
  const { header } = entry;
  invariant(
    header.sequence === state.sequence + 1,
    `entry ${header.sequence} follows state ${state.sequence}`,
  );
  invariant(
    header.spec === state.specHash,
    `entry ${header.sequence} was made with another spec: a spec cannot be changed in place`,
  );
  const settled = settleMessages(ports, state, header);
  if (header.kind === 'promote') return promoted(settled, header, await challengerOf(ports, model, header));
  if (header.kind === 'retract') return retracted(settled, header, await challengerOf(ports, model, header));
  if (header.kind === 'rollback') return withParameters(settled, await stateAt(ports, model, header.to));
  let next = settled;
  for (const own of samplesByMessage(entry)) {
    if (own.length === 0) continue;
    const { samples, refused } = model.encoder.encode(own);
    invariant(refused.length === 0, `entry ${header.sequence} holds a sample that cannot be learnt`);
    const learned = await learn(model, next, samples);
    invariant(learned.ok, `entry ${header.sequence} holds a message that cannot be learnt`);
    next = afterMessage(next, learned, own.length);
  }
  return next;
}

/** The state with one more message learnt; the ledger changes with the whole entry. */
export function afterMessage(
  state: State,
  learned: Extract<Awaited<ReturnType<typeof learn>>, { ok: true }>,
  samples: number,
): State {
  return {
    ...state,
    ...learned.parameters,
    scores: addScores(state.scores, learned.scores),
    learnt: state.learnt + samples,
  };
}

/**
 * The state at an entry's sequence number, with its messages settled and nothing learnt yet.
 *
 * @throws MillraceError kind `corrupt` if one of the messages was settled before
 */
export function settleMessages({ limits }: Pick<Ports, 'limits'>, state: State, entry: EntryHeader): State {
  return { ...state, sequence: entry.sequence, ledger: settleEntry(state.ledger, entry, limits) };
}

/** The state with a challenger's parameters: current ledger and scores, new weights. */
export function promoted(
  state: State,
  { job, sequence }: Pick<PromoteHeader, 'job' | 'sequence'>,
  parameters: Parameters,
): State {
  return { ...withParameters(state, parameters), promoted: { job, sequence } };
}

/** The state with parameters that never learnt what an entry retracts. */
export function retracted(
  state: State,
  { from, sequence }: Pick<RetractHeader, 'from' | 'sequence'>,
  parameters: Parameters,
): State {
  const retractions = [...state.retractions, { from, sequence }];
  return { ...withParameters(state, parameters), retractions };
}

/** The state with other weights, optimizer slots and statistics: current ledger and scores. */
export function withParameters(state: State, { tensors, step, seed, statistics }: Parameters): State {
  return { ...state, tensors, step, seed, statistics };
}

/**
 * The state at an entry of the journal, folded from the last kept checkpoint before it; 0 is the initial state.
 *
 * @throws MillraceError kind `corrupt` if the journal does not reach that far
 */
export async function stateAt(ports: Ports, model: Model, sequence: number): Promise<State> {
  return readForward(ports, model, await lastCheckpoint(ports, model, sequence), sequence);
}

async function challengerOf(ports: Ports, model: Model, header: ChallengerHeader): Promise<Parameters> {
  const challenger = await readChallenger(ports.store, model, header.job, header.digest);
  invariant(challenger !== undefined, `the challenger of job ${header.job} is missing or was changed`);
  const { parameters } = await catchUp(
    ports,
    model,
    challenger.parameters,
    header.caughtUp,
    header.sequence - 1,
  );
  return parameters;
}

/**
 * Learns the samples of the entries after `from`, up to `to` or as far as the journal goes. Weights that other commands
 * put in place meanwhile are passed over: these parameters are to replace them, and have learnt the same stream.
 *
 * @param shouldStop asked after each entry
 * @returns the parameters, the last entry that they have learnt, and those that were passed over
 * @throws MillraceError kind `invalid` if an entry retracted what these parameters may have learnt
 */
export async function catchUp(
  { store }: Pick<Ports, 'store'>,
  model: Model,
  parameters: Parameters,
  from: number,
  to = Number.POSITIVE_INFINITY,
  shouldStop = () => false,
): Promise<{
  readonly parameters: Parameters;
  readonly caughtUp: number;
  readonly passedOver: readonly ReplacingHeader[];
}> {
  let current = parameters;
  let caughtUp = from;
  const passedOver: ReplacingHeader[] = [];
  for await (const entry of entriesAfter(store, model.name, from, { to })) {
    if (shouldStop()) break;
    const { header } = entry;
    if (header.kind === 'retract') throw retractedMeanwhile(header.sequence);
    if (header.kind !== 'samples') passedOver.push(header);
    for (const samples of samplesByMessage(entry)) {
      if (samples.length > 0) current = await relearn(model, current, samples);
    }
    caughtUp = header.sequence;
  }
  return { parameters: current, caughtUp, passedOver };
}

/** Why weights that were begun before an entry's retraction cannot be used any more. */
export function retractedMeanwhile(sequence: number): MillraceError {
  return invalid(`entry ${sequence} retracted samples that these weights may have learnt; start again`);
}

/**
 * Applies the entries after a state until a key is missing, or up to entry `to`.
 *
 * @param shouldStop asked before each entry is applied
 */
export async function readForward(
  ports: Ports,
  model: Model,
  state: State,
  to = Number.POSITIVE_INFINITY,
  shouldStop = () => false,
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
