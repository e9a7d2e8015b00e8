import { reasonOf } from '../../lib/errors.ts';
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/**
 * A process: once it is dead, nothing that it asked for answers, and nothing that it would ask next
 * happens.
 */
export type Process = { readonly name: string; isDead: boolean; readonly onDeath: () => void };

/** What drives the calls of all processes. */
export type Drivers = {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly faults: Faults;
};

/** One call of a port. */
export type Call<Answer> = {
  /** For the record: what is asked. */
  readonly what: string;
  readonly perform: () => Answer;
  /** Draws whether it fails; the answer throws what the caller sees. */
  readonly fail?: () => (() => never) | undefined;
  /**
   * A send without a number that takes longer than SQS remembers it would be a different message.
   */
  readonly isNeverSlow?: boolean;
};

/**
 * Makes a call: some milliseconds later it takes effect and answers, unless the process has died by
 * then. What a dying process had sent may still arrive.
 */
export function makeCall<Answer>(
  drivers: Drivers,
  process: Process,
  { what, perform, fail = () => undefined, isNeverSlow = false }: Call<Answer>,
): Promise<Answer> {
  const { timeline, random, faults } = drivers;
  return new Promise((resolve, reject) => {
    if (process.isDead) return;
    const isSlow = !isNeverSlow && faults.strike('slow');
    const latency = isSlow ? random.integer(5_000, 400_000) : random.integer(1, 40);
    timeline.after(latency, () => {
      if (process.isDead) {
        if (random.chance(0.5)) performCall(timeline, process, `${what}, after its death`, perform);
        return;
      }
      if (faults.strike('crash-before')) return die(timeline, process, `before ${what}`);
      const failure = fail();
      if (failure !== undefined) {
        try {
          failure();
        } catch (error) {
          timeline.record(`${process.name} ${what}: ${reasonOf(error)}`);
          reject(error);
        }
        return;
      }
      const answer = performCall(timeline, process, what, perform);
      if (faults.strike('crash-after')) return die(timeline, process, `after ${what}`);
      resolve(answer);
    });
  });
}

/** What a call does takes effect, and is written down. */
export function performCall<Answer>(
  timeline: Timeline,
  process: Process,
  what: string,
  perform: () => Answer,
): Answer {
  const answer = perform();
  const brief = JSON.stringify(answer, (key, value) => (key === 'body' ? undefined : value)) ?? '';
  timeline.record(`${process.name} ${what} ${brief.slice(0, 60)}`);
  return answer;
}

/** A process ends here and now, with all that it had under way. */
export function die(timeline: Timeline, process: Process, when: string): void {
  timeline.record(`${process.name} dies ${when}`);
  process.isDead = true;
  process.onDeath();
}
