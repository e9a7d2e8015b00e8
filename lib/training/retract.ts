import { createHash } from 'node:crypto';
import { invalid, MillraceError } from '../errors.ts';
import { digestOf, encodeParameters } from '../journal/checkpoint.ts';
import type { Entry, EntryHeader } from '../journal/entry.ts';
import { existingEntry, putUntilAnswered, readEntry } from '../journal/journal.ts';
import { keys } from '../journal/keys.ts';
import type { Parameters, State } from '../journal/state.ts';
import type { Ports } from '../ports/ports.ts';
import { canonicalJson } from '../spec/spec.ts';
import { type ReplacingHeader, retracted, settleMessages, stateAt } from './fold.ts';
import { relearn } from './learn.ts';
import type { Change } from './learn-messages.ts';
import type { Command, ParsedMessage } from './messages.ts';
import type { Model } from './model.ts';
import { challengerFor } from './promote.ts';
import { commandCommon, rejectCommand } from './settle-command.ts';

/** What is to be unlearnt: whole messages by their ids, and samples by {@link sampleHash}. */
export type Retraction = { readonly messages: readonly string[]; readonly samples: readonly string[] };

/** The identity of a sample's content, whatever the order of its fields. */
export function sampleHash(sample: unknown): string {
  return createHash('sha256').update(canonicalJson(sample)).digest('hex').slice(0, 32);
}

/** The samples of an entry, message by message, without those that were retracted. */
export function samplesWithout(
  { header, samples }: Entry,
  without: Retraction,
): readonly (readonly unknown[])[] {
  const [messages, hashes] = [new Set(without.messages), new Set(without.samples)];
  let line = 0;
  return header.messages.map(({ id, samples: count }) => {
    const own = samples.slice(line, line + count);
    line += count;
    if (messages.has(id)) return [];
    return hashes.size === 0 ? own : own.filter((sample) => !hashes.has(sampleHash(sample)));
  });
}

/** All that a model's entries have retracted up to one of them. */
export async function retractionsUpTo(
  store: Ports['store'],
  model: string,
  last: number,
): Promise<Retraction> {
  const [messages, samples]: [string[], string[]] = [[], []];
  for (let sequence = 1; sequence <= last; sequence++) {
    const { header } = await existingEntry(store, model, sequence);
    if (header.kind !== 'retract') continue;
    messages.push(...header.without.messages);
    samples.push(...header.without.samples);
  }
  return { messages, samples };
}

/** A retraction that is ready to be sent: the weights without the samples, and what was left out. */
export type PreparedRetraction = {
  readonly job: string;
  readonly digest: string;
  /** The first entry that changes, and the last that the weights have learnt. */
  readonly from: number;
  readonly to: number;
  readonly samples: number;
};

/**
 * Folds the journal again without some of its samples, from the last kept checkpoint before them, and writes the
 * weights where the command `retract` finds them.
 *
 * @throws MillraceError kind `invalid` if no entry holds them, or a batch job had learnt them before its promotion
 */
export async function prepareRetraction(
  ports: Ports,
  model: Model,
  retraction: Retraction,
): Promise<PreparedRetraction> {
  let from: number | undefined;
  let samples = 0;
  let to = 0;
  for (;;) {
    const entry = await readEntry(ports.store, model.name, to + 1);
    if (entry === undefined) break;
    to += 1;
    const left = samplesWithout(entry, retraction).reduce((sum, own) => sum + own.length, 0);
    if (left < entry.samples.length) from ??= to;
    samples += entry.samples.length - left;
  }
  if (from === undefined) throw invalid(`the journal of ${model.name} holds none of these samples`);
  const parameters = await parametersWithout(ports, model, to, from, retraction);
  const name = digestOf(Buffer.from(canonicalJson({ retraction, to }))).slice(0, 16);
  const job = `retract-${name}`;
  const body = encodeParameters(parameters, { job, caughtUp: String(to) });
  const key = keys.challenger(model.name, job);
  const outcome = await putUntilAnswered(ports.store, key, body, { ifNoneMatch: '*' });
  if (outcome === undefined) throw new MillraceError('unavailable', `${key} could not be written`);
  return { job, digest: digestOf(body), from, to, samples };
}

/** The parameters at an entry as they would be if the retracted samples, the first of them in `first`, had never come. */
async function parametersWithout(
  ports: Ports,
  model: Model,
  sequence: number,
  first: number,
  without: Retraction,
): Promise<Parameters> {
  const later: Entry[] = [];
  let parameters: Parameters | undefined;
  for (let at = sequence; parameters === undefined; at--) {
    if (at < first) {
      parameters = await stateAt(ports, model, at);
      break;
    }
    const entry = await existingEntry(ports.store, model.name, at);
    if (entry.header.kind === 'samples') later.unshift(entry);
    else parameters = await parametersBefore(ports, model, entry.header, first, without);
  }
  for (const entry of later) {
    for (const own of samplesWithout(entry, without)) {
      if (own.length > 0) parameters = await relearn(model, parameters, own);
    }
  }
  return parameters;
}

/** The parameters after an entry that replaced them all, without the retracted samples. */
async function parametersBefore(
  ports: Ports,
  model: Model,
  header: ReplacingHeader,
  first: number,
  without: Retraction,
): Promise<Parameters> {
  switch (header.kind) {
    case 'rollback':
      return parametersWithout(ports, model, header.to, first, without);
    case 'retract': {
      const both = {
        messages: [...without.messages, ...header.without.messages],
        samples: [...without.samples, ...header.without.samples],
      };
      return parametersWithout(ports, model, header.sequence - 1, Math.min(first, header.from), both);
    }
    case 'promote':
      throw invalid(
        `job ${header.job}, promoted by entry ${header.sequence}, had learnt what is to be retracted; roll back to an entry before it and try again`,
      );
  }
}

/**
 * Puts the weights that never learnt the retracted samples in place of the current ones, with what the stream taught
 * since. Nothing is deleted: the entry names what was left out, and later folds honour it.
 */
export async function retract(
  ports: Ports,
  model: Model,
  state: State,
  parsed: ParsedMessage,
  { job, digest, from, messages, samples }: Extract<Command, { kind: 'retract' }>,
): Promise<Change> {
  const reject = (field: string, reason: string) =>
    rejectCommand(ports, model, state, parsed, { index: -1, field, reason });
  const found = await challengerFor(ports, model, state, job, digest);
  if (typeof found === 'string') return reject('retract', found);
  const [replaced] = found.passedOver;
  if (replaced !== undefined) {
    const reason = `entry ${replaced.sequence} (${replaced.kind}) put other weights in place since this was prepared; retract again`;
    return reject('retract', reason);
  }
  const header: EntryHeader = {
    kind: 'retract',
    ...commandCommon(ports, model, state, parsed),
    job,
    digest,
    caughtUp: found.caughtUp,
    from,
    without: { messages: [...messages], samples: [...samples] },
  };
  return {
    entry: { header, samples: [] },
    state: retracted(settleMessages(state, header), header, found.parameters),
    settled: 1,
  };
}
