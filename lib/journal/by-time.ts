import type { ObjectStore } from '../bucket/object-store.ts';
import { isOfKind } from '../errors.ts';
import { readHeader } from './reading.ts';
import { listSegments } from './segments.ts';

/** Milliseconds by which clocks may differ: entries are in order of time but for that. */
export const clockSkew = 60_000;

/** A stretch of a journal: the entries behind `after`, up to `to`. */
export type TimeStretch = {
  readonly after: number;
  readonly to: number;
};

/**
 * Where entries of some times can be: no other entry is of them. A long journal is looked at where
 * its segments begin, by halves; all of it is the stretch where one of these cannot be read.
 *
 * @param first,last milliseconds since 1970
 * @param end the last entry of the journal, or one before it: segments behind it are passed over
 */
export async function stretchOfTime(
  store: ObjectStore,
  model: string,
  { first, last, end }: { readonly first: number; readonly last: number; readonly end: number },
): Promise<TimeStretch> {
  const segments = await listSegments(store, model);
  const begins = segments.map((segment) => segment.first).filter((begin) => begin <= end);
  /** The place of the first segment that does not begin before that; undefined if nobody knows. */
  const firstBehind = async (isBefore: (time: number) => boolean) => {
    let [low, high] = [0, begins.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const header = await readHeader(store, model, begins[middle] ?? 0).catch(ifCorrupt);
      if (header === undefined) return undefined;
      if (isBefore(Date.parse(header.time))) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const begin = await firstBehind((time) => time < first - clockSkew);
  const behind = await firstBehind((time) => time <= last + clockSkew);
  if (begin === undefined || behind === undefined) return { after: 0, to: end };
  return { after: (begins[begin - 1] ?? 1) - 1, to: (begins[behind] ?? end + 1) - 1 };
}

/** For `.catch()`: a header that is damaged says nothing. */
function ifCorrupt(error: unknown): undefined {
  if (!isOfKind(error, 'corrupt')) throw error;
}
