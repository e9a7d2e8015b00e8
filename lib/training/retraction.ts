import { createHash } from 'node:crypto';
import { invariant } from '../errors.ts';
import { type Entry, samplesByMessage } from '../journal/entry.ts';
import { existingEntry } from '../journal/reading.ts';
import type { State } from '../journal/state.ts';
import type { ObjectStore } from '../ports/ports.ts';
import { canonicalJson } from '../spec/spec.ts';

/** What is to be unlearnt: whole messages by their ids, and samples by {@link sampleHash}. */
export type Retraction = { readonly messages: readonly string[]; readonly samples: readonly string[] };

/** A retraction and the last entry that it holds for: what arrived later is learnt, also if it is the same again. */
export type Exclusion = { readonly without: Retraction; readonly upTo: number };

/** The identity of a sample's content, whatever the order of its fields. */
export function sampleHash(sample: unknown): string {
  return createHash('sha256').update(canonicalJson(sample)).digest('hex').slice(0, 32);
}

/** The samples of an entry, message by message, without those that were retracted. */
export function samplesWithout(
  entry: Entry,
  exclusions: readonly Exclusion[],
): readonly (readonly unknown[])[] {
  const { sequence, messages } = entry.header;
  const holding = exclusions.filter(({ upTo }) => sequence <= upTo).map(({ without }) => without);
  const ids = new Set(holding.flatMap((without) => without.messages));
  const hashes = new Set(holding.flatMap((without) => without.samples));
  return samplesByMessage(entry).map((samples, place) => {
    if (ids.has(messages[place]?.id ?? '')) return [];
    return hashes.size === 0 ? samples : samples.filter((sample) => !hashes.has(sampleHash(sample)));
  });
}

/** What the entries of a model retracted, up to one of them. */
export async function exclusionsOf(
  store: ObjectStore,
  { model, retractions }: Pick<State, 'model' | 'retractions'>,
  last = Number.POSITIVE_INFINITY,
): Promise<readonly Exclusion[]> {
  const exclusions: Exclusion[] = [];
  for (const { sequence } of retractions) {
    if (sequence > last) continue;
    const { header } = await existingEntry(store, model, sequence);
    invariant(header.kind === 'retract', `entry ${sequence} retracts nothing`);
    exclusions.push({ without: header.without, upTo: header.caughtUp });
  }
  return exclusions;
}
