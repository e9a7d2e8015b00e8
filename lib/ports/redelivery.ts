import { limits } from '../limits.ts';

/** Seconds until a message that failed is delivered again, after so many deliveries. */
export function pauseSeconds(receives: number, longest: number): number {
  return Math.min(limits.shortestPauseSeconds * 2 ** Math.max(0, receives - 1), longest);
}
