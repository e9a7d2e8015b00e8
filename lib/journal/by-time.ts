import type { ObjectStore } from '../bucket/object-store.ts';
import { readHeader } from './reading.ts';
import { listSegments } from './segments.ts';

/** Milliseconds by which clocks may differ: entries are in order of time but for that. */
export const clockSkew = 60_000;

/** A stretch of a journal: the entries behind `after`, up to `to`. */
export type TimeStretch = {
  readonly after: number;
  /** The last one; as far as the journal goes unless given. */
  readonly to?: number;
};

/**
 * Where entries of some times can be: no other entry is of them. A long journal is looked at where
 * its segments begin, by halves.
 *
 * @param first,last milliseconds since 1970
 */
export async function stretchOfTime(
  store: ObjectStore,
  model: string,
  { first, last }: { readonly first: number; readonly last: number },
): Promise<TimeStretch> {
  const begins = (await listSegments(store, model)).map((segment) => segment.first);
  /** The place of the first segment that begins later. */
  const firstAfter = async (time: number) => {
    let [low, high] = [0, begins.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const header = await readHeader(store, model, begins[middle] ?? 0);
      if (header !== undefined && Date.parse(header.time) <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const from = begins[(await firstAfter(first - clockSkew)) - 1];
  const behind =
    last === Number.POSITIVE_INFINITY ? undefined : begins[await firstAfter(last + clockSkew)];
  return {
    after: Math.max(0, (from ?? 1) - 1),
    ...(behind === undefined ? {} : { to: behind - 1 }),
  };
}
