import { isOfKind } from '../../lib/errors.ts';
import type { Cloud } from './cloud.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

const second = 1_000;
const minute = 60 * second;

/** Calls until it is answered; who numbers messages may wait for longer than SQS remembers them. */
export async function tryAgain<Answer>(
  { timeline }: Cloud,
  random: Random,
  mayWait: boolean,
  act: () => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isOfKind(error, 'unavailable')) throw error;
      await pause(
        timeline,
        mayWait && random.chance(0.2) ? 10 * minute : random.integer(1, 20 * second),
      );
    }
  }
}

/** Waits in simulated time. */
export function pause({ after }: Timeline, milliseconds: number): Promise<void> {
  return new Promise((resolve) => after(milliseconds, resolve));
}
