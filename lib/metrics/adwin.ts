/**
 * A window over a stream of numbers from 0 to 1 that is as long as its mean has not changed: ADWIN
 * (Bifet and Gavaldà 2007). It lies in buckets whose counts are powers of two, oldest first, so
 * that a window of n numbers takes some 5 log₂ n of them.
 */
export type AdaptiveWindow = {
  /** How many numbers each bucket stands for, [buckets]. */
  readonly counts: Float64Array;
  /** Their sums, [buckets]. */
  readonly sums: Float64Array;
  /** The sums of their squared deviations from their means, [buckets]. */
  readonly squares: Float64Array;
  /** Numbers so far, those that the window has dropped among them. */
  readonly seen: number;
};

/** A bucket that can be changed. */
type Bucket = { count: number; sum: number; squares: number };

/** Buckets of one size that are kept apart. */
const bucketsOfSize = 5;
/** The window is looked at after so many numbers, as each look visits all buckets. */
const numbersOfLook = 32;
/** No part that is shorter is compared with the rest. */
const shortestPart = 5;

/** The window before the first number. */
export function emptyWindow(): AdaptiveWindow {
  const none = new Float64Array();
  return { counts: none, sums: none, squares: none, seen: 0 };
}

/**
 * The window after some more numbers.
 *
 * @param confidence the probability of a look to take chance for a change, δ
 * @returns `rises`: how many looks found that the mean has become greater
 */
export function windowAfter(
  window: AdaptiveWindow,
  values: Iterable<number>,
  confidence: number,
): { readonly window: AdaptiveWindow; readonly rises: number } {
  const buckets: Bucket[] = Array.from(window.counts, (count, i) => ({
    count,
    sum: window.sums[i] ?? 0,
    squares: window.squares[i] ?? 0,
  }));
  let { seen } = window;
  let rises = 0;
  for (const value of values) {
    buckets.push({ count: 1, sum: value, squares: 0 });
    compress(buckets);
    seen += 1;
    if (seen % numbersOfLook === 0 && shorten(buckets, confidence)) rises += 1;
  }
  const column = (of: (bucket: Bucket) => number) => Float64Array.from(buckets, of);
  return {
    window: {
      counts: column(({ count }) => count),
      sums: column(({ sum }) => sum),
      squares: column(({ squares }) => squares),
      seen,
    },
    rises,
  };
}

/** Two buckets as one. */
function joined(a: Bucket, b: Bucket): Bucket {
  const count = a.count + b.count;
  const between = a.sum / a.count - b.sum / b.count;
  const squares = a.squares + b.squares + ((a.count * b.count) / count) * between ** 2;
  return { count, sum: a.sum + b.sum, squares };
}

/** Joins the two oldest buckets of each size of which there are too many. */
function compress(buckets: Bucket[]): void {
  for (let end = buckets.length, size = 1; ; size *= 2) {
    let first = end;
    while (first > 0 && buckets[first - 1]?.count === size) first -= 1;
    const [oldest, next] = [buckets[first], buckets[first + 1]];
    if (end - first <= bucketsOfSize || oldest === undefined || next === undefined) return;
    buckets.splice(first, 2, joined(oldest, next));
    end = first + 1;
  }
}

/** Drops what is older than a change of the mean; whether that was a rise. */
function shorten(buckets: Bucket[], confidence: number): boolean {
  let hasRisen = false;
  for (;;) {
    const change = greatestChange(buckets, confidence);
    if (change === undefined) return hasRisen;
    hasRisen ||= change.by > 0;
    buckets.splice(0, change.before);
  }
}

/** A place between buckets where the mean changes: how many are before it, and by how much. */
type Change = { readonly before: number; readonly by: number };

/** The place where the mean changes most, for what chance may do there; undefined if nowhere. */
function greatestChange(buckets: readonly Bucket[], confidence: number): Change | undefined {
  const [first, ...rest] = buckets;
  if (first === undefined) return undefined;
  const { count, sum, squares } = rest.reduce(joined, first);
  const trust = Math.log((2 * Math.log(Math.max(count, 2))) / confidence);
  const variance = squares / count;
  let [before, sumBefore, greatest] = [0, 0, 1];
  let found: Change | undefined;
  for (const [i, bucket] of buckets.entries()) {
    before += bucket.count;
    sumBefore += bucket.sum;
    const after = count - before;
    if (after < shortestPart) return found;
    if (before < shortestPart) continue;
    const by = (sum - sumBefore) / after - sumBefore / before;
    const harmonic = 1 / before + 1 / after;
    const chance = Math.sqrt(2 * harmonic * variance * trust) + (2 / 3) * trust * harmonic;
    if (Math.abs(by) <= greatest * chance) continue;
    greatest = Math.abs(by) / chance;
    found = { before: i + 1, by };
  }
  return found;
}

/** The mean of the window; NaN without numbers. */
export function meanOfWindow({ counts, sums }: AdaptiveWindow): number {
  const total = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
  return total(sums) / total(counts);
}
