import type { ObjectStore } from '../bucket/object-store.ts';
import type { EntryHeader } from '../commands/commands.ts';
import { canRollBack } from '../commands/rollback.ts';
import { invalid } from '../errors.ts';
import { currentModel } from '../fold/current-model.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { clockSkew, stretchOfTime } from '../journal/by-time.ts';
import { countSamples } from '../journal/entry.ts';

import { entriesAfter, existingEntry, headersAfter, headersBackFrom } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';

/** Where to go back to: an entry, or the last one by a time in milliseconds since 1970. */
export type RollbackTarget = { readonly entry: number } | { readonly time: number };

/** An entry whose weights can be brought back. */
export type FoundRollback = {
  readonly entry: number;
  /** When it was committed; entry 0, which has learnt nothing, never was. */
  readonly time?: string;
  /** The model's last entry. */
  readonly sequence: number;
  /** Samples learnt after it and not retracted: they stay in the journal, and are settled. */
  readonly samples: number;
  /**
   * Where another spec holds now: the first entry after it that put another in force than held
   * then, which comes back as well.
   */
  readonly respecified?: number;
};

/**
 * The entry that a rollback would bring back.
 *
 * @throws MillraceError kind `invalid` if there is no such model or entry, or what it had learnt was
 *   retracted since
 */
export async function findRollback(
  ports: Ports,
  name: string,
  target: RollbackTarget,
): Promise<FoundRollback> {
  const { state } = await currentModel(ports, name);
  const { sequence, retractions } = state;
  const entry =
    'entry' in target ? target.entry : await entryAt(ports, name, sequence, target.time);
  const possible = canRollBack({ sequence, retractions }, entry);
  if (!possible.ok) throw invalid(`--to: ${possible.reason}`);
  let samples = 0;
  /** The spec that held at the entry, and the first entry behind it that put another in force. */
  let [spec, changed]: [string?, number?] = [];
  for await (const { header, learnt } of learntAfter(ports.store, state, entry)) {
    samples += learnt;
    spec ??= header.spec;
    if (header.spec !== spec) changed ??= header.sequence - 1;
  }
  const isOther = spec !== undefined && spec !== state.specHash;
  const respecified = isOther ? { respecified: changed ?? sequence } : {};
  const found = { entry, sequence, samples, ...respecified };
  if (entry === 0) return found;
  const { header } = await existingEntry(ports.store, name, entry);
  return { ...found, time: header.time };
}

/** The entries behind one, each with how many of its samples nobody has retracted since. */
async function* learntAfter(
  store: ObjectStore,
  state: State,
  entry: number,
): AsyncGenerator<{ readonly header: EntryHeader; readonly learnt: number }> {
  const { model, sequence: to } = state;
  const reading = { to, ahead: limits.readsAtOnce };
  if (state.retractions.length === 0) {
    for await (const header of headersAfter(store, model, entry, reading))
      yield { header, learnt: header.messages.reduce((sum, { samples }) => sum + samples, 0) };
    return;
  }
  const exclusions = await exclusionsOf(store, state);
  for await (const each of entriesAfter(store, model, entry, reading))
    yield { header: each.header, learnt: countSamples(samplesWithout(each, exclusions)) };
}

/** Sends the command that brings back the weights of an entry; it is done in its turn. */
export async function sendRollback(ports: Ports, name: string, entry: number): Promise<void> {
  await ports.sendCommand({
    body: JSON.stringify({ rollback: { to: entry } }),
    group: name,
    deduplication: deduplicationId(name, 'rollback', ports.nonce()),
  });
}

/** {@link findRollback}, and {@link sendRollback} of what it found. */
export async function rollBack(
  ports: Ports,
  name: string,
  target: RollbackTarget,
): Promise<FoundRollback> {
  const found = await findRollback(ports, name, target);
  await sendRollback(ports, name, found.entry);
  return found;
}

/** The last entry that was committed up to a time. */
async function entryAt(
  { store, now }: Ports,
  model: string,
  last: number,
  time: number,
): Promise<number> {
  if (time > now() + clockSkew)
    throw invalid(
      `--to: ${new Date(time).toISOString()} is yet to come; the last entry of ${model} is ${last}`,
    );
  let first = '';
  const { to } = await stretchOfTime(store, model, { first: time, last: time, end: last });
  for await (const header of headersBackFrom(store, model, to)) {
    if (Date.parse(header.time) <= time) return header.sequence;
    first = header.time;
  }
  const found = first === '' ? 'it has no entry' : `its first is of ${first}`;
  throw invalid(
    `--to: ${model} had learnt nothing by ${new Date(time).toISOString()} (${found}); ` +
      '--to 0 brings back the untrained weights',
  );
}
