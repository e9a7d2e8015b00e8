import { type EntryHeader, isReplacing } from '../commands/commands.ts';
import { ifOutOfTime } from '../errors.ts';
import { addCounts } from '../features/encoder.ts';
import { countForgotten } from '../features/vocabularies.ts';
import { keepIfForeign } from '../fold/arithmetics.ts';
import type { ForwardBounds } from '../fold/catch-up.ts';
import { keepCheckpoint, publish } from '../fold/checkpoints.ts';
import { readForward } from '../fold/fold.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { commitEntry } from '../journal/commit.ts';
import { limits } from '../limits.ts';
import { type Model, modelOfState } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { judge } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import { type Change, decideEntry, type Pending } from './decide-entry.ts';
import { reportPromotions } from './end-of-promotion.ts';
import type { ParsedMessage } from './messages.ts';
import { type CachedModel, notOfJournal, startFrom } from './start-from.ts';

/** What an invocation brings to the update of a model. */
export type Invocation = {
  readonly secondsLeft: () => number;
  /** The model as an earlier invocation left it; loaded unless given. */
  readonly cached?: CachedModel | undefined;
};

/** What an invocation did to one model. */
export type Update = {
  /** Messages, from the first, that are learnt or rejected and may be acknowledged. */
  readonly settled: number;
  /** Whether the next invocation starts further on: there is no reason to wait for it. */
  readonly hasAdvanced: boolean;
  readonly entries: readonly EntryHeader[];
  /** By feature, how many samples had a value that the spec does not know. */
  readonly unknown: Readonly<Record<string, number>>;
  /** In how many messages it was found that the stream has changed. */
  readonly changes: number;
  /** Values of categories that lost their place to another. */
  readonly forgotten: number;
  /** The state after it; undefined if the model does not exist. */
  readonly cached?: CachedModel;
};

/**
 * Settles the messages of one model, in order: judge, learn, commit, publish (ARCHITECTURE.md, the
 * protocol). Messages for which there was no time come back with the next delivery.
 *
 * @throws MillraceError kind `invalid` if the model does not exist, `unavailable` if S3 does not
 *   answer, `corrupt` if the model must be stopped; nothing is acknowledged then
 */
export async function updateModel(
  ports: Ports,
  name: string,
  messages: readonly ParsedMessage[],
  { secondsLeft, cached }: Invocation,
): Promise<Update> {
  // Commands reach further than samples, and must not reach from what is not the newest.
  const mayAssume = messages.every(({ command }) => command.kind === 'samples');
  const watch = startWatch(secondsLeft);
  const { bounds } = watch;
  const start = await watch.timed(() => startFrom(ports, name, cached, { ...bounds, mayAssume }));
  // (Where nothing was read, it only asked whether there is something.)
  if (!watch.hasRead) watch.seconds = 0;
  const behind = () => (start.foldSeconds ?? 0) + watch.seconds;
  let { model, state } = start;
  let [isCurrent, isMidway] = [true, false];
  let [settled, lostCommits] = [0, 0];
  let entryEtag: string | undefined;
  let found: Found = { unknown: {}, changes: 0, forgotten: 0 };
  const entries: EntryHeader[] = [];

  while (settled < messages.length) {
    if (!isCurrent) state = await readForward(ports, model, state, bounds);
    model = await modelOfState(ports, model, state);
    isCurrent = false;
    settled += countSettled(ports, state, messages.slice(settled));
    const left = messages.slice(settled);
    const pending = { messages: left, secondsLeft, isOwn: start.isOwn };
    const isIdle = left.length === 0 || isTimeUp(secondsLeft);
    const decide = () => decideFrom(ports, model, state, pending);
    const next = isIdle ? { state, passed: 0 } : await watch.timed(decide);
    const { change } = next;
    state = next.state;
    settled += next.passed;
    if (!(await start.isOwn)) {
      ports.log.warn(notOfJournal, { model: name });
      return updateModel(ports, name, messages, { secondsLeft });
    }
    isMidway = change === 'out-of-time';
    if (change === undefined || change === 'out-of-time') break;

    const committed = await commitEntry(ports, change.entry);
    if (!committed.ok) {
      lostCommits += 1;
      const { sequence } = change.entry.header;
      const level = start.isAssumed && lostCommits === 1 ? 'info' : 'warn';
      ports.log[level]('lost a commit to another writer', { model: name, sequence });
      if (lostCommits >= ports.limits.commitAttempts) break;
      continue;
    }
    found = withFound(found, state, change);
    ({ model, state } = change);
    entryEtag = committed.etag;
    settled += change.settled;
    entries.push(change.entry.header);
    watch.hasReplaced ||= isReplacing(change.entry.header);
    await keepCheckpoint(ports, model, state, change.entry.header);
    // Who predicts must not wait until all of it is learnt: this is published first.
    if (behind() >= limits.foldSeconds) break;
  }
  const { etag, publishedAt } = start;
  const hasCommitted = entries.length > 0;
  const done = { hasCommitted, hasReplaced: watch.hasReplaced, foldSeconds: behind() };
  const published = await publish(ports, model, state, { etag, publishedAt, ...done });
  await reportPromotions(ports, name, messages.slice(0, settled), entries);
  const hasAdvanced = settled > 0 || isMidway || state.sequence > start.loaded;
  const isAlone = !watch.hasRead && lostCommits === 0 && hasCommitted;
  const kept = { model, state, isAlone, ...(isAlone && { entryEtag }), ...published };
  return { settled, hasAdvanced, entries, ...found, cached: kept };
}

/** What an invocation read of the journal, and how long it took to read and to decide. */
type Watch = {
  hasRead: boolean;
  hasReplaced: boolean;
  seconds: number;
  readonly bounds: ForwardBounds;
  readonly timed: <Result>(work: () => Promise<Result>) => Promise<Result>;
};

function startWatch(secondsLeft: () => number): Watch {
  const watch: Watch = {
    hasRead: false,
    hasReplaced: false,
    seconds: 0,
    bounds: {
      shouldStop: (next) => isTimeUp(secondsLeft, next),
      mustStop: (next = 0) => secondsLeft() - next < limits.answerReserveSeconds,
      onEntry(header) {
        watch.hasRead = true;
        watch.hasReplaced ||= isReplacing(header);
      },
    },
    async timed(work) {
      const before = secondsLeft();
      const result = await work();
      watch.seconds += before - secondsLeft();
      return result;
    },
  };
  return watch;
}

/** An entry that was decided, behind messages that need none. */
type Decided = {
  readonly state: State;
  readonly passed: number;
  readonly change?: Change | 'out-of-time' | undefined;
};

/** Decides an entry; where it is made on other arithmetic than the one before, that one is kept. */
async function decideFrom(
  ports: Ports,
  model: Model,
  before: State,
  pending: Omit<Pending, 'checkpoint'>,
): Promise<Decided> {
  const { state, checkpoint } = await keepIfForeign(ports, model, before);
  let passed = 0;
  while (passed < pending.messages.length) {
    const messages = pending.messages.slice(passed);
    const decided = decideEntry(ports, model, state, { ...pending, messages, checkpoint });
    const change = await decided.catch(ifOutOfTime);
    if (typeof change !== 'object' || !('passed' in change)) return { state, passed, change };
    passed += change.passed;
  }
  return { state, passed };
}

/** What was noticed of the samples. */
type Found = Pick<Update, 'unknown' | 'changes' | 'forgotten'>;

/** The same with what one more change brought: counts of a state that goes back say nothing. */
function withFound({ unknown, changes, forgotten }: Found, before: State, change: Change): Found {
  const { entry, state } = change;
  if (entry.header.kind !== 'samples') return { unknown, changes, forgotten };
  const [was, is] = [before, state].map(({ statistics }) =>
    countForgotten(statistics.vocabularies),
  );
  return {
    unknown: addCounts(unknown, change.unknown),
    changes: changes + Math.max(0, (state.drift?.found ?? 0) - (before.drift?.found ?? 0)),
    forgotten: forgotten + (is ?? 0) - (was ?? 0),
  };
}

/** How many messages, from the first, were settled by earlier deliveries. */
function countSettled(
  { limits: bounds }: Ports,
  { ledger }: State,
  messages: readonly ParsedMessage[],
): number {
  const firstNew = messages.findIndex(
    ({ identity }) => judge(ledger, identity, bounds).verdict !== 'settled',
  );
  return firstNew < 0 ? messages.length : firstNew;
}
