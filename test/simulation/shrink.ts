import { type Outcome, runSchedule, type ScheduleOptions } from './schedule.ts';

/** Runs that shrinking may take. */
const mostRuns = 300;

/**
 * The same seed with the fewest faults that still break a promise: delta debugging (Zeller and
 * Hildebrandt 2002) over the strikes.
 */
export async function shrink(
  failing: Outcome,
  options: ScheduleOptions,
  run: (seed: number, options: ScheduleOptions) => Promise<Outcome> = runSchedule,
): Promise<Outcome> {
  let shortest = failing;
  let runs = 0;
  for (let chunk = failing.faults.length; chunk >= 1; chunk = Math.floor(chunk / 2)) {
    for (let start = 0; start < shortest.faults.length && runs < mostRuns; ) {
      const left = shortest.faults.toSpliced(start, chunk);
      runs += 1;
      const outcome = await run(failing.seed, { ...options, kept: left });
      if (outcome.violations.length > 0 && outcome.faults.length < shortest.faults.length)
        shortest = outcome;
      else start += chunk;
    }
  }
  return shortest;
}
