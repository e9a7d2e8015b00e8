import { limits } from '../limits.ts';
import { isRecord, show } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import { type RawSamples, SampleTable } from './sample-table.ts';

/** What a question is kept under until its label comes: the sender's own name for it. */
export type SampleId = string;

/** An id as a text: 17 and "17" are the same; undefined if it is none. */
export function readSampleId(id: unknown): SampleId | undefined {
  const text = typeof id === 'bigint' || Number.isSafeInteger(id) ? String(id) : id;
  const isId = typeof text === 'string' && text.length > 0 && text.length <= limits.idCharacters;
  return isId && text.isWellFormed() ? text : undefined;
}

/** The refusal of what {@link readSampleId} does not take. */
export function noSampleId(found: unknown): Refused<'wrong-type'> {
  const rule =
    `must be a text of 1 to ${limits.idCharacters} characters, or a whole number up to 2^53 ` +
    '(write larger ones as texts)';
  return refuse('wrong-type', `${rule} (found ${show(found)})`);
}

/** A sample that has something as its id, and its place among the others. */
export type WithId = {
  readonly index: number;
  readonly sample: Readonly<Record<string, unknown>>;
};

/** Those of some samples that have something as their id. */
export function withIds(samples: RawSamples): readonly WithId[] {
  if (samples instanceof SampleTable && !samples.has('id')) return [];
  return Array.from(samples).flatMap((sample, index) =>
    isRecord(sample) && Object.hasOwn(sample, 'id') ? [{ index, sample }] : [],
  );
}

/** Whether a sample is a label without features: they are those that were asked under its id. */
export function isLateLabel(sample: unknown): boolean {
  return isRecord(sample) && sample.id !== undefined && sample.features === undefined;
}

/** A label that was learnt of an id, and whether it is the default of one that did not come. */
export type LearntLabel = { readonly label: unknown; readonly isDefault: boolean };

/**
 * The labels that were learnt of ids, in some messages; one that came is told rather than the
 * default before it.
 */
export function labelsById(messages: readonly RawSamples[]): ReadonlyMap<SampleId, LearntLabel> {
  const labels = new Map<SampleId, LearntLabel>();
  for (const { sample } of messages.flatMap(withIds)) {
    const id = readSampleId(sample.id);
    const learnt = { label: sample.label, isDefault: isDefaultLabel(sample) };
    if (id !== undefined && (!learnt.isDefault || !labels.has(id))) labels.set(id, learnt);
  }
  return labels;
}

/** Whether a sample says that no label came for its id in time. */
export function isDefaultLabel(sample: Readonly<Record<string, unknown>>): boolean {
  return Object.hasOwn(sample, 'default') && sample.default === true;
}
