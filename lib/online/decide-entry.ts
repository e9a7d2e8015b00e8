import {
  type Decision,
  type Own,
  type Reach,
  rejected,
  withoutEffect,
} from '../commands/command.ts';
import { commands, decide, type EntryHeader } from '../commands/commands.ts';
import type { CommonHeader, SettledMessage } from '../commands/header.ts';
import { isFiniteState } from '../engine/finite.ts';
import { ifOutOfTime, isOutOfTime, outOfTime } from '../errors.ts';
import { addCounts } from '../features/encoder.ts';
import { type LearntLabel, labelsById, type SampleId } from '../features/sample-id.ts';
import type { RawSamples } from '../features/sample-table.ts';
import type { ShouldStop } from '../fold/catch-up.ts';
import { reachOf } from '../fold/fold.ts';
import { isTimeUp } from '../fold/time-left.ts';
import type { Entry } from '../journal/entry.ts';
import { type NewRecord, quarantine } from '../journal/quarantine.ts';
import { settleEntry } from '../journal/settle-entry.ts';
import { limits } from '../limits.ts';
import { interruptible } from '../model/interruptible.ts';
import { type Model, modelOfState } from '../model/model.ts';
import { show } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { refuse } from '../refusal.ts';
import { judge, settle } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import { judgeMessage, type MessageJudgement } from './judge-message.ts';
import type { ParsedMessage } from './messages.ts';

/**
 * An entry that is ready to be committed, the state that it leads to, and how many messages it
 * settles.
 */
export type Change = {
  readonly entry: Entry;
  readonly state: State;
  /** With the spec of that state. */
  readonly model: Model;
  readonly settled: number;
  /** By feature, how many samples have a value that the spec does not know. */
  readonly unknown: Readonly<Record<string, number>>;
};

/** Messages, from the first, that need no entry: an earlier delivery has put them in quarantine. */
export type Passed = { readonly passed: number };

/** A decision of any command. */
type AnyDecision = Decision<Own<EntryHeader>>;

/** Messages in the order of their queue, and the time that is left to settle them. */
export type Pending = {
  readonly messages: readonly ParsedMessage[];
  readonly secondsLeft: () => number;
  /** The digest of the kept checkpoint that the entry must name, if it must. */
  readonly checkpoint?: string | undefined;
  /** Whether the state is of the journal: asked before anything is written. */
  readonly isOwn: boolean | Promise<boolean>;
};

/**
 * Decides the first message, or the first ones that can share an entry, until only time to publish
 * is left. Nothing changes before the entry is committed, except that quarantine records are
 * written; writing them again is harmless.
 *
 * @returns the entry, or how many messages need none; undefined if the state is of another journal
 * @throws MillraceError kind `unavailable` with the code `out-of-time` if a command needs more than
 *   is left; what it reached is stored
 */
export async function decideEntry(
  ports: Ports,
  model: Model,
  state: State,
  { messages, secondsLeft, checkpoint, isOwn }: Pending,
): Promise<Change | Passed | undefined> {
  const nonce = ports.nonce();
  const settledMessages: SettledMessage[] = [];
  const samples: RawSamples[] = [];
  let own: Own<EntryHeader> = { kind: 'samples' };
  let next = state;
  let settled = 0;
  let unknown: Readonly<Record<string, number>> = {};
  const begun = secondsLeft();
  const isLong = () => begun - secondsLeft() > limits.entrySeconds || isTimeUp(secondsLeft);

  for (const parsed of messages) {
    if (settled > 0 && (!sharesEntry(parsed) || isLong())) break;
    settled += 1;
    const judgement = await judgeMessage(ports, next, settledMessages, parsed);
    if (judgement.verdict === 'settled') continue;
    const judged = { parsed, judgement, secondsLeft, learnt: samples };
    const decision = await decideMessage(ports, model, next, judged).catch(ifOutOfTime);
    if (decision === 'out-of-time') {
      if (settledMessages.length === 0) throw outOfTime(`a message of ${model.name}`);
      // Those before it are committed; it comes back, with more time.
      settled -= 1;
      break;
    }
    if (decision.refused.length > 0) {
      if (!(await isOwn)) return undefined;
      const entry = { sequence: state.sequence + 1, nonce };
      await quarantine(ports, model.name, recordOf(ports, parsed, decision, entry));
    }
    next = withSettled(ports, decision.state ?? next, parsed);
    samples.push(decision.learnt);
    unknown = addCounts(unknown, decision.unknown);
    settledMessages.push(settledMessage(parsed, decision));
    own = decision.header ?? own;
    if (!sharesEntry(parsed)) break;
  }
  if (settledMessages.length === 0) return { passed: settled };
  // Of weights that a command puts in place: they may be those of another spec.
  const modelNow = await modelOfState(ports, model, next);
  const arithmetic = modelNow.compiled.engine;
  const header: EntryHeader = {
    ...own,
    ...commonHeader(ports, model, state, { messages: settledMessages, nonce }),
    engine: arithmetic,
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
  const ledger = settleEntry(state.ledger, header, ports.limits);
  const labels = { arithmetic, entryArithmetic: arithmetic };
  const decided = { ...next, sequence: header.sequence, nonce, ...labels, ledger };
  return { entry: { header, samples }, model: modelNow, state: decided, settled, unknown };
}

/** Messages share an entry, but for commands that have one of their own, and whole objects. */
function sharesEntry({ command }: ParsedMessage): boolean {
  if (command.kind === 'malformed') return true;
  const isObject = command.kind === 'samples' && typeof command.body.samples === 'string';
  return commands[command.kind].sharesEntry && !isObject;
}

/** A message, what the ledger says of it, and the time that is left. */
type Judged = {
  readonly parsed: ParsedMessage;
  readonly judgement: MessageJudgement;
  readonly secondsLeft: () => number;
  /** Of the messages before it in the same entry. */
  readonly learnt: readonly RawSamples[];
};

/**
 * The decision on a message that is not settled yet. The ledger may refuse it, whatever the command
 * is.
 */
async function decideMessage(
  ports: Ports,
  model: Model,
  state: State,
  { parsed, judgement, secondsLeft, learnt }: Judged,
): Promise<AnyDecision> {
  const { command } = parsed;
  if (judgement.verdict === 'overtaken') return withoutEffect;
  if (judgement.verdict === 'refused') return rejected('producer', judgement);
  if (command.kind === 'malformed') return rejected('body', command);
  const pace = paceOf(ports, model, secondsLeft);
  const shouldStop: ShouldStop = (next) => isTimeUp(secondsLeft, next);
  const own = command.kind === 'samples' ? interruptible(model, pace) : model;
  const reach = withLabelsOf(learnt, reachOf(ports, { model: own, shouldStop }, state));
  const decision = await decide(reach, state, command).catch((error) => {
    if (!isOutOfTime(error) || !pace.isTooSlow()) throw error;
    return rejected('samples', refuse('too-slow', tooSlow));
  });
  if (decision.state === undefined || isFiniteState(decision.state.tensors)) return decision;
  const reason = 'the weights that it puts in place are not finite';
  return rejected(command.kind, refuse('diverged', reason));
}

/** The same, where some samples are learnt by the same entry: it cannot be looked into yet. */
function withLabelsOf(learnt: readonly RawSamples[], reach: Reach): Reach {
  let labels: ReadonlyMap<SampleId, LearntLabel> | undefined;
  const claimAsked: Reach['claimAsked'] = async (claim) => {
    labels ??= labelsById(learnt);
    const { id, isDefault } = claim;
    const before = labels.get(id);
    if (before !== undefined && (isDefault || !before.isDefault))
      return {
        ...refuse('labelled-before', `a message just before has another label of ${show(id)}`),
        learnt: before.label,
      };
    const claimed = await reach.claimAsked(claim);
    return claimed.ok && before ? { ...claimed, overruled: before.label } : claimed;
  };
  return { ...reach, claimAsked };
}

const tooSlow =
  `takes more than ${limits.messageSeconds} s to learn; send fewer samples in a message, or ` +
  'declare a smaller network';

/**
 * Ends the work at a message that is too slow, or that finds too little time. One that is learnt at
 * once is learnt, however little is left.
 */
function paceOf(ports: Ports, { name }: Model, secondsLeft: Judged['secondsLeft']) {
  let isTooSlow = false;
  return {
    isTooSlow: () => isTooSlow,
    owner: ports,
    seconds: () => -secondsLeft(),
    check(spent: number, next: number) {
      isTooSlow = Math.max(spent, next) > limits.messageSeconds;
      if (isTooSlow || (spent > 1 && isTimeUp(secondsLeft, next)))
        throw outOfTime(`a message of ${name}`);
    },
  };
}

/** The state in whose ledger a message is settled too. */
function withSettled({ limits: bounds }: Ports, state: State, { identity }: ParsedMessage): State {
  if (judge(state.ledger, identity, bounds).verdict !== 'new') return state;
  return { ...state, ledger: settle(state.ledger, identity, state.sequence + 1, bounds) };
}

function commonHeader(
  { now }: Ports,
  model: Model,
  state: State,
  own: Pick<CommonHeader, 'messages' | 'nonce'>,
): Omit<CommonHeader, 'engine'> {
  return {
    sequence: state.sequence + 1,
    model: model.name,
    spec: model.specHash,
    nonce: own.nonce,
    time: new Date(now()).toISOString(),
    messages: own.messages,
  };
}

/** The number that a message's producer gave it. */
function numberOf({
  identity,
}: ParsedMessage): Pick<SettledMessage, 'producer' | 'seq' | 'digest' | 'deadLetter'> {
  if (identity.by === 'queue') return {};
  const { producer, seq, digest, deadLetter } = identity;
  return {
    producer,
    seq,
    ...(digest === undefined ? {} : { digest }),
    ...(deadLetter === undefined ? {} : { deadLetter }),
  };
}

/** A message as its entry lists it. */
function settledMessage(
  parsed: ParsedMessage,
  { learnt, refused, loss, header }: AnyDecision,
): SettledMessage {
  const { id, queue, sequenceNumber } = parsed.message;
  return {
    id,
    ...numberOf(parsed),
    queue,
    sequenceNumber,
    outcome: learnt.length > 0 || header !== undefined ? 'learnt' : 'rejected',
    samples: learnt.length,
    refused: refused.length,
    ...(loss === undefined ? {} : { loss }),
  };
}

/** What quarantine holds of a message; one that is refused as a whole is kept whole. */
function recordOf(
  { now }: Ports,
  parsed: ParsedMessage,
  { refused }: AnyDecision,
  { sequence, nonce }: Pick<CommonHeader, 'sequence' | 'nonce'>,
): NewRecord {
  const { id, queue, sequenceNumber, body } = parsed.message;
  const { producer, seq } = numberOf(parsed);
  return {
    message: id,
    sequence,
    nonces: [nonce],
    time: new Date(now()).toISOString(),
    queue,
    sequenceNumber,
    ...(producer === undefined ? {} : { producer, seq }),
    ...(refused.some(({ index }) => index < 0) ? { body } : {}),
    refused,
  };
}
