import { isOfKind } from '../errors.ts';
import { readTable } from '../features/read-table.ts';
import { isLateLabel, readSampleId } from '../features/sample-id.ts';
import { SampleTable } from '../features/sample-table.ts';
import { tableOfSent } from '../features/table-of.ts';
import type { QuarantineRecord } from '../journal/quarantine.ts';
import { limits } from '../limits.ts';
import { isRecord, parseJson } from '../parse.ts';
import type { RefusalCode } from '../refusal.ts';

/** A line of an object that is no sample: its object is mended, and sent again. */
const badRow: RefusalCode = 'bad-row';
/** An id is learnt once. */
const labelledBefore: RefusalCode = 'labelled-before';
/** A label with these is not wrong in itself: it may be learnt later. */
const ofItsTime: ReadonlySet<string | undefined> = new Set<RefusalCode>([
  'unknown-id',
  'too-large',
  labelledBefore,
]);

/** Whether all that is refused are labels of ids that have others. */
export function isLabelledBefore({ refused }: QuarantineRecord): boolean {
  return refused.every(({ code }) => code === labelledBefore);
}

/**
 * The samples of a record as a message can have them; undefined where there are none to send, such
 * as where a body is nested deeper than anything that is sent.
 */
export function samplesOf({ body, refused }: QuarantineRecord): unknown {
  if (body === undefined) return refusedSamples(refused);
  try {
    const sent = parseJson(body, 'body', Number.POSITIVE_INFINITY, limits.messageDepth);
    if (!isRecord(sent)) return undefined;
    const { samples, labels, columns } = sent;
    const read = columns === undefined ? undefined : readTable(columns);
    if (read?.ok === false) return undefined;
    const [first, ...others] = [samples, labels, read?.table].filter((each) => each !== undefined);
    // A message that had more than one of them was refused for that: none of it is left out.
    return others.length === 0 ? first : joined([first, ...others]);
  } catch (error) {
    if (isOfKind(error, 'invalid')) return undefined;
    throw error;
  }
}

/** The samples of several lists; undefined if one of them is none. */
function joined(lists: readonly unknown[]): readonly unknown[] | undefined {
  const all = lists.map((list) => (list instanceof SampleTable ? [...list] : list));
  return all.every((list) => Array.isArray(list)) ? all.flat() : undefined;
}

/** The body of a message of such samples, in as few bytes as it can have. */
export function bodyOf(samples: unknown): object {
  const table = Array.isArray(samples) ? tableOfSent(samples) : samples;
  return table instanceof SampleTable ? { columns: table } : { samples };
}

/**
 * The refused samples that can be sent again. Of several labels of one id in a message those behind
 * the first were refused for its sake: they are sent where that one was refused too, and instead of
 * it where it is wrong in itself.
 */
function refusedSamples(refused: QuarantineRecord['refused']): readonly unknown[] {
  const firsts = new Map<string, number>();
  const left = new Set<number>();
  for (const [place, { sample, code }] of refused.entries()) {
    const id = isRecord(sample) && isLateLabel(sample) ? readSampleId(sample.id) : undefined;
    const before = id === undefined ? undefined : firsts.get(id);
    if (code === labelledBefore && before === undefined) left.add(place);
    else if (id !== undefined && before === undefined) firsts.set(id, place);
    if (id === undefined || before === undefined || ofItsTime.has(refused[before]?.code)) continue;
    left.add(before);
    firsts.set(id, place);
  }
  return refused.flatMap(({ sample, code }, place) =>
    sample === undefined || code === badRow || left.has(place) ? [] : [sample],
  );
}
