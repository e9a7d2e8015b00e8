import { limits } from '../limits.ts';

/** Whether an invocation has only time left to write what was reached. */
export function isTimeUp(secondsLeft: () => number): boolean {
  return secondsLeft() < limits.publishReserveSeconds;
}
