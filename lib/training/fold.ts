import { invalid, invariant, MillraceError } from '../errors.ts';
import { decodeCheckpoint, decodeParameters, digestOf } from '../journal/checkpoint.ts';
import { type Entry, type EntryHeader, identityOf, type SettledMessage } from '../journal/entry.ts';
import { readEntry } from '../journal/journal.ts';
import { keys, sequenceOfCheckpoint } from '../journal/keys.ts';
import { judge, settle } from '../journal/ledger.ts';
import { isFiniteState, type Parameters, type State } from '../journal/state.ts';
import { limits } from '../limits.ts';
import { addScores } from '../model/scores.ts';
import type { ObjectStore, Ports } from '../ports/ports.ts';
import { learn, relearn } from './learn.ts';
import { initialState, type Model } from './model.ts';

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
  const settled = settleMessages(state, header);
  if (header.kind === 'promote') return promoted(settled, header, await challengerOf(ports, model, header));
  if (header.kind === 'retract') return retracted(settled, header, await challengerOf(ports, model, header));
  if (header.kind === 'rollback') return withParameters(settled, await stateAt(ports, model, header.to));
  let next = settled;
  let line = 0;
  for (const message of header.messages) {
    if (message.samples === 0) continue;
    const { samples, refused } = model.encoder.encode(entry.samples.slice(line, line + message.samples));
    invariant(refused.length === 0, `entry ${header.sequence} holds a sample that cannot be learnt`);
    const learned = await learn(model, next, samples);
    invariant(learned.ok, `entry ${header.sequence} holds a message that cannot be learnt`);
    next = afterMessage(next, learned, message.samples);
    line += message.samples;
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
export function settleMessages(
  state: State,
  { sequence, messages }: { readonly sequence: number; readonly messages: readonly SettledMessage[] },
): State {
  let { ledger } = state;
  for (const message of messages) {
    const { verdict } = judge(ledger, identityOf(message));
    invariant(verdict !== 'settled', `message ${message.id} of entry ${sequence} was settled before`);
    // A message that the ledger refuses is in quarantine; an evicted producer must not come back by it.
    if (verdict === 'new') ledger = settle(ledger, identityOf(message), sequence);
  }
  return { ...state, sequence, ledger };
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
  const start = await lastCheckpoint(ports, model, sequence);
  const state = await readForward(ports, model, start, sequence);
  invariant(state.sequence === sequence, `the journal of ${model.name} has no entry ${sequence}`);
  return state;
}

/** The last kept checkpoint up to an entry, or the initial state where none is kept. */
export async function lastCheckpoint({ store }: Ports, model: Model, sequence: number): Promise<State> {
  const kept = await store.list(keys.checkpoints(model.name));
  const last = kept.findLast(
    ({ key }) => (sequenceOfCheckpoint(key) ?? Number.POSITIVE_INFINITY) <= sequence,
  );
  const object = last && (await store.get(last.key));
  return object === undefined ? initialState(model) : decodeCheckpoint(object.body);
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
 * A job's challenger and the entry up to which it had learnt the journal; undefined if it is not that file, or holds
 * no finite parameters of this model.
 */
export async function readChallenger(
  store: ObjectStore,
  model: Model,
  job: string,
  digest: string,
): Promise<{ readonly parameters: Parameters; readonly caughtUp: number } | undefined> {
  const object = await store.get(keys.challenger(model.name, job));
  if (object === undefined || digestOf(object.body) !== digest) return undefined;
  const { parameters, extra } = decodeParameters(object.body);
  const caughtUp = Number(extra.caughtUp);
  return fits(model, parameters) && Number.isSafeInteger(caughtUp) ? { parameters, caughtUp } : undefined;
}

/** Whether parameters have the tensors and statistics of a model, and finite numbers in them. */
function fits({ compiled, encoder }: Model, { tensors, statistics }: Parameters): boolean {
  const own = Object.entries(compiled.initial().tensors);
  const hasShapes = own.every(([name, { shape }]) => isSameShape(tensors[name]?.shape, shape));
  const isComplete = hasShapes && Object.keys(tensors).length === own.length;
  return isComplete && statistics.mean.length === encoder.layout.numberWidth && isFiniteState(tensors);
}

function isSameShape(a: readonly number[] | undefined, b: readonly number[]): boolean {
  return a?.length === b.length && b.every((dimension, i) => dimension === a[i]);
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
  let sequence = from;
  const passedOver: ReplacingHeader[] = [];
  while (sequence < to && !shouldStop()) {
    const entry = await readEntry(store, model.name, sequence + 1);
    if (entry === undefined) break;
    sequence += 1;
    refuseRetraction(entry.header);
    if (entry.header.kind !== 'samples') passedOver.push(entry.header);
    let line = 0;
    for (const { samples } of entry.header.messages) {
      if (samples === 0) continue;
      current = await relearn(model, current, entry.samples.slice(line, line + samples));
      line += samples;
    }
  }
  return { parameters: current, caughtUp: sequence, passedOver };
}

/** @throws MillraceError kind `invalid` if an entry retracted what a job that began before it may have learnt */
export function refuseRetraction({ kind, sequence }: EntryHeader): void {
  if (kind !== 'retract') return;
  throw invalid(`entry ${sequence} retracted samples that these weights may have learnt; start again`);
}

/**
 * Applies the entries after a state until a key is missing, or up to entry `to`.
 *
 * @throws MillraceError kind `unavailable` if the state is too far behind for one invocation
 */
export async function readForward(
  ports: Ports,
  model: Model,
  state: State,
  to = Number.POSITIVE_INFINITY,
): Promise<State> {
  let current = state;
  for (let read = 0; read < limits.entriesReadForward; read++) {
    if (current.sequence >= to) return current;
    const entry = await readEntry(ports.store, model.name, current.sequence + 1);
    if (entry === undefined) return current;
    current = await applyEntry(ports, model, current, entry);
  }
  throw new MillraceError(
    'unavailable',
    `${model.name}: the checkpoint is more than ${limits.entriesReadForward} entries behind the journal`,
  );
}
