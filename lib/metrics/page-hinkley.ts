/**
 * What the test of Page (1954) and Hinkley (1971) knows of a stream of numbers since it found a
 * change, or began: how far they have risen above their mean, summed up, beyond the least that this
 * sum has been.
 */
export type PageHinkley = {
  /** Numbers, their mean, Σ (number − mean so far − tolerance), and the least that this was. */
  readonly count: number;
  readonly mean: number;
  readonly sum: number;
  readonly least: number;
};

/** How much is a change. */
export type PageHinkleyBounds = {
  /** How far the sum may rise. */
  readonly threshold: number;
  /** How far above the mean a number says nothing. */
  readonly tolerance: number;
};

/** Of fewer numbers the mean says little. */
const fewNumbers = 30;

/** The test before the first number. */
export const noNumbers: PageHinkley = { count: 0, mean: 0, sum: 0, least: 0 };

/** The test after some more numbers; `rises`: how often it found that they had risen. */
export function testedBy(
  before: PageHinkley,
  values: Iterable<number>,
  { threshold, tolerance }: PageHinkleyBounds,
): { readonly test: PageHinkley; readonly rises: number } {
  let test = before;
  let rises = 0;
  for (const value of values) {
    const count = test.count + 1;
    const mean = test.mean + (value - test.mean) / count;
    const sum = test.sum + value - mean - tolerance;
    const least = Math.min(test.least, sum);
    test = { count, mean, sum, least };
    if (count < fewNumbers || sum - least <= threshold) continue;
    rises += 1;
    test = noNumbers;
  }
  return { test, rises };
}
