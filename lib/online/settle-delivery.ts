import type { EntryHeader } from '../commands/commands.ts';
import type { SettledMessage } from '../commands/header.ts';
import { MillraceError } from '../errors.ts';
import { joinEntries } from '../journal/segments.ts';
import { limits } from '../limits.ts';
import { meanLoss } from '../metrics/scores.ts';
import { type RecentModels, remember } from '../model/recent-models.ts';
import type { Ports } from '../ports/ports.ts';
import { pauseSeconds } from '../ports/redelivery.ts';
import type { State } from '../state/state.ts';
import { type Message, parseMessage } from './messages.ts';
import type { CachedModel } from './start-from.ts';
import { trainAfterChange } from './train-after-change.ts';
import { updateModel } from './update-model.ts';

/** What the last invocation left of each model; each checks it against the journal. */
export type ModelCache = RecentModels<CachedModel>;

/** What became of one model's messages in a delivery. */
export type ModelOutcome = {
  readonly model: string;
  /** Messages that must come back with a later delivery. */
  readonly unsettled: readonly Message[];
  /** After how many seconds: at once where the next invocation starts further on. */
  readonly pauseSeconds: number;
  /** Samples that were learnt and refused. */
  readonly samples: number;
  readonly refused: number;
  readonly milliseconds: number;
  /** In how many messages it was found that the stream has changed. */
  readonly changes: number;
  /** Values of categories that spec or state did not know, and those that lost their place. */
  readonly unknown: number;
  readonly forgotten: number;
  /** Why none of its messages could be settled. */
  readonly error?: unknown;
};

/**
 * Settles the messages of a delivery: those of each model in order, the models side by side. If one
 * model fails, its messages come back, and those of the others are settled all the same.
 *
 * @param cache is read and changed
 * @param secondsLeft of this invocation
 */
export async function settleDelivery(
  ports: Ports,
  cache: ModelCache,
  messages: readonly Message[],
  secondsLeft: () => number,
): Promise<readonly ModelOutcome[]> {
  const groups = [...Map.groupBy(messages, ({ group }) => group)];
  return Promise.all(
    groups.map(([model, own]) => settleModel(ports, cache, { model, own }, secondsLeft)),
  );
}

type Group = { readonly model: string; readonly own: readonly Message[] };

async function settleModel(
  ports: Ports,
  cache: ModelCache,
  { model, own }: Group,
  secondsLeft: () => number,
): Promise<ModelOutcome> {
  const started = ports.now();
  try {
    const parsed = own.map(parseMessage);
    const invocation = { secondsLeft, cached: cache.get(model) };
    const update = await updateModel(ports, model, parsed, invocation);
    const { settled, hasAdvanced, entries, changes, forgotten, cached } = update;
    if (cached !== undefined) remember(cache, model, cached, ({ state }) => state.tensors);
    const sums = sumsOf(entries);
    const milliseconds = ports.now() - started;
    ports.log.info('settled', {
      model,
      sequence: cached?.state.sequence,
      messages: settled,
      ...sums,
      ...(cached === undefined ? {} : { stream: streamLosses(cached.state) }),
      ...(Object.keys(update.unknown).length === 0 ? {} : { unknown: update.unknown }),
      lagMilliseconds: lagOf(own.slice(0, settled), ports.now()),
      milliseconds,
    });
    if (changes > 0)
      ports.log.warn('the stream has changed: it was predicted worse than before', {
        model,
        sequence: cached?.state.sequence,
        changes,
      });
    if (changes > 0 && cached !== undefined) await trainAfterChange(ports, cached.model.spec);
    for (const { sequence } of entries) await joinEntries(ports, model, sequence, secondsLeft);
    const { samples, refused } = sums;
    const unsettled = own.slice(settled);
    const pause = hasAdvanced ? 0 : pauseOf(unsettled);
    const unknown = Object.values(update.unknown).reduce((sum, each) => sum + each, 0);
    const found = { samples, refused, changes, unknown, forgotten };
    return { model, unsettled, pauseSeconds: pause, milliseconds, ...found };
  } catch (error) {
    cache.delete(model);
    const kind = error instanceof MillraceError ? error.kind : 'unexpected';
    ports.log.error('not settled', {
      model,
      kind,
      error: error instanceof Error ? error : String(error),
    });
    return {
      model,
      unsettled: own,
      pauseSeconds: pauseOf(own),
      samples: 0,
      refused: 0,
      changes: 0,
      unknown: 0,
      forgotten: 0,
      milliseconds: ports.now() - started,
      error,
    };
  }
}

/** How long a model's messages wait; all of them equally, since they come back in order. */
function pauseOf([first]: readonly Message[]): number {
  return pauseSeconds(first?.receives ?? 1, limits.longestPauseSeconds);
}

/** What the messages of some entries came to. */
function sumsOf(entries: readonly EntryHeader[]) {
  const messages = entries.flatMap((entry) => entry.messages);
  const sum = (of: (message: SettledMessage) => number) =>
    messages.reduce((total, message) => total + of(message), 0);
  const samples = sum((message) => message.samples);
  const commands = entries.flatMap((entry) => textOfCommand(entry) ?? []);
  return {
    samples,
    refused: sum(({ refused }) => refused),
    losses: messages.map(({ loss }) => loss),
    ...(samples === 0
      ? {}
      : { loss: sum((message) => message.samples * (message.loss ?? 0)) / samples }),
    ...(commands.length === 0 ? {} : { commands }),
  };
}

/** What an entry did, where it is no entry of samples. */
function textOfCommand(entry: EntryHeader): string | undefined {
  switch (entry.kind) {
    case 'samples':
      return undefined;
    case 'rollback':
      return `rollback to ${entry.to}`;
    case 'promote':
      return `job ${entry.job} promoted`;
    case 'retract':
      return `retracted from entry ${entry.from}`;
    case 'spec':
      return `spec changed to ${entry.to}`;
  }
}

/** How long the oldest of some messages has been on its way; undefined if nobody knows. */
function lagOf(messages: readonly Message[], now: number): number | undefined {
  const sent = messages.flatMap(({ sentAt }) => (sentAt === undefined ? [] : [sentAt]));
  return sent.length === 0 ? undefined : now - Math.min(...sent);
}

/** The mean loss on all of the stream so far, beside that of predicting the mean or the shares. */
function streamLosses({ scores, prior }: State) {
  if (scores.samples === 0) return undefined;
  const loss = meanLoss(scores);
  return prior === undefined ? { loss } : { loss, baseline: prior.loss / scores.weight };
}
