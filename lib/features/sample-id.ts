import { limits } from '../limits.ts';
import { show } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';

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
  const rule = `must be a text of 1 to ${limits.idCharacters} characters, or an integer`;
  return refuse('wrong-type', `${rule} (found ${show(found)})`);
}
