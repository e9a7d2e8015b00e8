import type { EntryHeader } from '../commands/commands.ts';
import { ifOutOfTime, invalid } from '../errors.ts';
import { addCounts } from '../features/encoder.ts';
import { countForgotten } from '../features/vocabularies.ts';
import { keepIfForeign } from '../fold/arithmetics.ts';
import type { ShouldStop } from '../fold/catch-up.ts';
import { isOfJournal, keepCheckpoint, loadCheckpoint, publish } from '../fold/checkpoints.ts';
import { readForward } from '../fold/fold.ts';
import { isTimeUp } from '../fold/time-left.ts';
import { commitEntry } from '../journal/commit.ts';
import { loadModel, type Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { judge } from '../state/ledger.ts';
import type { State } from '../state/state.ts';
import { decideEntry } from './decide-entry.ts';
import { reportPromotions } from './end-of-promotion.ts';
import type { ParsedMessage } from './messages.ts';

/**
 * A model as an invocation left it, for the next one on the same machine. It is read forward from
 * the journal before it is used, or taken for the newest until a commit says otherwise.
 */
export type CachedModel = {
  readonly model: Model;
  readonly state: State;
  readonly etag?: string | undefined;
  /** Whether it was committed by this machine, and nobody else had committed anything before. */
  readonly isAlone?: boolean | undefined;
};

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
  const shouldStop = () => isTimeUp(secondsLeft);
  // Commands reach further than samples, and must not reach from what is not the newest.
  const mayAssume = messages.every(({ command }) => command.kind === 'samples');
  let start = await startFrom(ports, name, cached, { shouldStop, mayAssume });
  let { model, state, etag } = start;
  let isCurrent = true;
  let settled = 0;
  let lostCommits = 0;
  let isMidway = false;
  let unknown: Update['unknown'] = {};
  let changes = 0;
  let forgotten = 0;
  const entries: EntryHeader[] = [];

  while (settled < messages.length) {
    if (!isCurrent) state = await readForward(ports, model, state, { shouldStop });
    isCurrent = false;
    settled += countSettled(ports, state, messages.slice(settled));
    const left = messages.slice(settled);
    const decide = async () => {
      const own = await keepIfForeign(ports, model, state);
      state = own.state;
      const pending = { messages: left, secondsLeft, checkpoint: own.checkpoint };
      return decideEntry(ports, model, state, pending).catch(ifOutOfTime);
    };
    const isIdle = left.length === 0 || shouldStop();
    const change = isIdle ? undefined : await decide();
    if (!(await start.isOwn)) {
      ports.log.warn('a cached model is not that of the journal, and loaded again', {
        model: name,
      });
      start = await startFrom(ports, name, undefined, { shouldStop, mayAssume: false });
      ({ model, state, etag } = start);
      isCurrent = true;
      settled = 0;
      continue;
    }
    isMidway = change === 'out-of-time';
    if (change === undefined || change === 'out-of-time') break;

    if (!(await commitEntry(ports, change.entry)).ok) {
      lostCommits += 1;
      const { sequence } = change.entry.header;
      const level = start.isAssumed && lostCommits === 1 ? 'info' : 'warn';
      ports.log[level]('lost a commit to another writer', { model: name, sequence });
      if (lostCommits >= ports.limits.commitAttempts) break;
      continue;
    }
    if (change.entry.header.kind === 'samples') {
      changes += changesBetween(state, change.state);
      forgotten += forgottenBetween(state, change.state);
    }
    state = change.state;
    settled += change.settled;
    unknown = addCounts(unknown, change.unknown);
    entries.push(change.entry.header);
    await keepCheckpoint(ports, model, state, change.entry.header);
  }
  etag = await publish(ports, model, state, { etag, committed: entries });
  await reportPromotions(ports, name, messages.slice(0, settled), entries);
  // Whoever worked until no time was left has stored how far it got.
  const isOutOfTimeNow = settled < messages.length && shouldStop();
  const hasAdvanced = settled > 0 || isMidway || isOutOfTimeNow || state.sequence > start.loaded;
  const found = { unknown, changes, forgotten };
  const isAlone = !start.wasBehind && lostCommits === 0 && entries.length > 0;
  return { settled, hasAdvanced, entries, ...found, cached: { model, state, etag, isAlone } };
}

/** How many changes of the stream were found from one state to a later one. */
function changesBetween({ drift: before }: State, { drift: after }: State): number {
  return Math.max(0, (after?.found ?? 0) - (before?.found ?? 0));
}

/** How many values lost their place from one state to a later one. */
function forgottenBetween({ statistics: before }: State, { statistics: after }: State): number {
  return countForgotten(after.vocabularies) - countForgotten(before.vocabularies);
}

/** Where an invocation starts. */
type Start = CachedModel & {
  /** The entry that it started from. */
  readonly loaded: number;
  /** Whether entries of others were behind it. */
  readonly wasBehind: boolean;
  /** Whether it is taken for the newest without having looked. */
  readonly isAssumed: boolean;
  /** Whether it is of the journal: known only after some samples may have been learnt. */
  readonly isOwn: boolean | Promise<boolean>;
};

/**
 * The model, read forward as far as the journal and the time go; far behind, the next invocation
 * goes on from what this one publishes. A cached model is used only if the journal still holds the
 * entry that it is at: the model may have been removed and created again. One that nobody else has
 * changed lately is not read forward: samples are learnt while the journal is asked, and whether
 * there is a newer entry, their commit says.
 */
async function startFrom(
  ports: Ports,
  name: string,
  cached: CachedModel | undefined,
  { shouldStop, mayAssume }: { readonly shouldStop: ShouldStop; readonly mayAssume: boolean },
): Promise<Start> {
  if (cached !== undefined && cached.state.sequence > 0) {
    const loaded = cached.state.sequence;
    const isOwn = isOfJournal(ports.store, cached.state);
    if (cached.isAlone && mayAssume) {
      isOwn.catch(() => undefined);
      return { ...cached, loaded, wasBehind: false, isAssumed: true, isOwn };
    }
    const forward = readForward(ports, cached.model, cached.state, { shouldStop });
    const [own, read] = await Promise.all([
      isOwn,
      forward.then(
        (state) => ({ state }),
        (error: unknown) => ({ error }),
      ),
    ]);
    if (own && 'error' in read) throw read.error;
    if (own && 'state' in read) {
      const wasBehind = read.state.sequence > loaded;
      return { ...cached, state: read.state, loaded, wasBehind, isAssumed: false, isOwn: true };
    }
    ports.log.warn('a cached model is not that of the journal, and loaded again', { model: name });
  }
  const model = await loadModel(ports, name);
  if (model === undefined) {
    throw invalid(`there is no model ${name}; create it before sending samples to it`);
  }
  const { state, etag } = await loadCheckpoint(ports, model);
  const forward = await readForward(ports, model, state, { shouldStop });
  const start = { model, state: forward, etag, loaded: state.sequence };
  return { ...start, wasBehind: false, isAssumed: false, isOwn: true };
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
