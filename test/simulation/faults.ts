import type { Random } from './random.ts';

/** What can go wrong. */
export const faultKinds = [
  // A process dies at an await, before or after what it asked for has happened.
  'crash-before',
  'crash-after',
  // S3: 503 or 500 without effect, an answer that is lost, a write that arrives later, 409, a body that ends early, and
  // the SDK's own second attempt at a put that had succeeded.
  'refused',
  'answer-lost',
  'late-write',
  'conflict',
  'read-failed',
  'sent-twice',
  // A call that takes minutes, so that invocations time out; their code may go on as a zombie.
  'slow',
  // SQS and Lambda: a second delivery at the same time, a deletion that is lost, a send that is lost or repeated.
  'delivered-twice',
  'deletion-lost',
  'send-failed',
  'send-answer-lost',
  // A machine that has no cache.
  'cold-start',
  'clock-jump',
] as const;

/** One of {@link faultKinds}. */
export type FaultKind = (typeof faultKinds)[number];

/** Draws faults and remembers them. */
export type Faults = {
  /** Whether this one strikes, here and now. */
  readonly strike: (kind: FaultKind) => boolean;
  /** What struck, in order. */
  readonly struck: readonly FaultKind[];
};

/**
 * Faults at a rate, until a storm is over.
 *
 * @param kinds those that may strike
 * @param skipped numbers of strikes that are left out: what shrinking tries
 */
export function createFaults(
  random: Random,
  rate: number,
  isOver: () => boolean,
  kinds: ReadonlySet<FaultKind>,
  skipped: ReadonlySet<number>,
): Faults {
  const struck: FaultKind[] = [];
  let strikes = 0;
  return {
    struck,
    strike(kind) {
      const isDrawn = random.chance(rate) && kinds.has(kind) && !isOver();
      if (!isDrawn || skipped.has(strikes++)) return false;
      struck.push(kind);
      return true;
    },
  };
}
