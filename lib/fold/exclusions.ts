import { hash } from 'node:crypto';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invariant } from '../errors.ts';
import { labelsById, readSampleId, type SampleId } from '../features/sample-id.ts';
import { samplesAt } from '../features/sample-json.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { eachOnce, type LearntLabels } from '../journal/asked.ts';
import type { Entry } from '../journal/entry.ts';
import { existingEntry } from '../journal/reading.ts';
import { isRecord } from '../parse.ts';
import { canonicalJson } from '../spec/identity.ts';
import type { State } from '../state/state.ts';

/**
 * What is to be unlearnt: whole messages by their ids, and samples by {@link sampleHash} or
 * {@link idHash}.
 */
export type Retraction = {
  readonly messages: readonly string[];
  readonly samples: readonly string[];
};

/**
 * A retraction in the form that folds need, with the last entry that it holds for. The same sample
 * may come again later, and is learnt then.
 */
export type Exclusion = {
  readonly messages: ReadonlySet<string>;
  readonly samples: ReadonlySet<string>;
  readonly upTo: number;
};

/** What a retraction excludes from the entries up to one of them. */
export function exclusionOf({ messages, samples }: Retraction, upTo: number): Exclusion {
  return { messages: new Set(messages), samples: new Set(samples), upTo };
}

/**
 * The identity of a sample's content, whatever the order of its fields, and whether its label came
 * with it or later, under an id.
 */
export function sampleHash(sample: unknown): string {
  return hash('sha256', canonicalJson(contentOf(sample))).slice(0, 32);
}

/** What stands for all that was learnt under an id, among the hashes of samples. */
export function idHash(id: SampleId): string {
  return hash('sha256', `id:${id}`).slice(0, 32);
}

/** Whether a sample is among hashes: by its content, or by the id under which it was asked. */
export function isAmong(hashes: ReadonlySet<string>, sample: unknown): boolean {
  if (hashes.has(sampleHash(sample))) return true;
  const id = isRecord(sample) ? readSampleId(sample.id) : undefined;
  return id !== undefined && hashes.has(idHash(id));
}

function contentOf(sample: unknown): unknown {
  if (!isRecord(sample)) return sample;
  const { id: _, default: __, lateWeight: ___, ...content } = sample;
  return content;
}

/** The samples of an entry, message by message, without those that were retracted. */
export function samplesWithout(
  entry: Entry,
  exclusions: readonly Exclusion[],
): readonly RawSamples[] {
  const { sequence, messages } = entry.header;
  const holding = exclusions.filter(({ upTo }) => sequence <= upTo);
  const hasHashes = holding.some((exclusion) => exclusion.samples.size > 0);
  const isExcluded = (sample: unknown) => holding.some(({ samples }) => isAmong(samples, sample));
  return entry.samples.map((samples, place) => {
    const id = messages[place]?.id ?? '';
    if (holding.some((exclusion) => exclusion.messages.has(id))) return [];
    if (!hasHashes) return samples;
    const left = [...samples.keys()].filter((at) => !isExcluded(samples.at(at)));
    return samplesAt(samples, left);
  });
}

/** The labels of ids that entries have learnt and nobody has retracted since; each is read once. */
export function labelsLeft(store: ObjectStore, state: Retracted): LearntLabels {
  let exclusions: ReturnType<typeof exclusionsOf> | undefined;
  return eachOnce(async (sequence) => {
    exclusions ??= exclusionsOf(store, state);
    const entry = await existingEntry(store, state.model, sequence);
    return labelsById(samplesWithout(entry, await exclusions));
  });
}

/** What says which entries of a model retracted something. */
type Retracted = Pick<State, 'model' | 'retractions'>;

/** What the entries of a model retracted, up to one of them. */
export async function exclusionsOf(
  store: ObjectStore,
  { model, retractions }: Retracted,
  last = Number.POSITIVE_INFINITY,
): Promise<readonly Exclusion[]> {
  const exclusions: Exclusion[] = [];
  for (const { sequence } of retractions) {
    if (sequence > last) continue;
    const { header } = await existingEntry(store, model, sequence);
    invariant(header.kind === 'retract', `entry ${sequence} retracts nothing`);
    exclusions.push(exclusionOf(header.without, header.caughtUp));
  }
  return exclusions;
}
