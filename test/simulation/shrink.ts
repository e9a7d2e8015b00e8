import { type Outcome, runSchedule, type ScheduleOptions } from './schedule.ts';

/** Runs that shrinking may take. */
const mostRuns = 300;

/**
 * The same seed with the fewest faults that still break a promise: delta debugging (Zeller and Hildebrandt 2002) over
 * the numbers of the strikes.
 */
export async function shrink(failing: Outcome, options: ScheduleOptions): Promise<Outcome> {
  let shortest = failing;
  let skipped: ReadonlySet<number> = new Set();
  let runs = 0;
  let chunk = failing.faults.length;
  while (chunk >= 1 && runs < mostRuns) {
    const left = skipped.size + shortest.faults.length;
    let hasShrunk = false;
    for (let start = 0; start < left && runs < mostRuns; start += chunk) {
      const more = Array.from({ length: chunk }, (_, i) => start + i).filter(
        (strike) => !skipped.has(strike),
      );
      if (more.length === 0) continue;
      const candidate = new Set([...skipped, ...more]);
      runs += 1;
      const outcome = await runSchedule(failing.seed, { ...options, skipped: candidate });
      if (outcome.violations.length === 0 || outcome.faults.length >= shortest.faults.length) continue;
      shortest = outcome;
      skipped = candidate;
      hasShrunk = true;
    }
    if (!hasShrunk) chunk = Math.floor(chunk / 2);
  }
  return shortest;
}
