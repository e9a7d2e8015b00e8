import { limits } from '../limits.ts';

/**
 * Whether an invocation has only time left to write what was reached.
 *
 * @param next seconds that would pass before it is asked again
 */
export function isTimeUp(secondsLeft: () => number, next = 0): boolean {
  return secondsLeft() - next < limits.publishReserveSeconds;
}
