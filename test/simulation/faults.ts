import { hashIntegers } from '../../lib/features/hash.ts';

/** What can go wrong. */
export const faultKinds = [
  // A process dies at an await, before or after what it asked for has happened.
  'crash-before',
  'crash-after',
  // S3: 503 or 500 without effect, an answer that is lost, a write that arrives later, 409, a body
  // that ends early, and the SDK's own second attempt at a put that had succeeded.
  'refused',
  'answer-lost',
  'late-write',
  'conflict',
  'read-failed',
  'sent-twice',
  // A call that takes minutes, so that invocations time out; their code may go on as a zombie. An
  // invocation whose time another model's messages have used up, but for some milliseconds.
  'slow',
  'little-time',
  // SQS and Lambda: a second delivery at the same time, one that begins when its messages are
  // visible to others again, a deletion or a visibility that is lost, a send that is lost or
  // repeated.
  'delivered-twice',
  'delivered-late',
  'deletion-lost',
  'visibility-lost',
  'send-failed',
  'send-answer-lost',
  // A machine that has no cache.
  'cold-start',
  'clock-jump',
  // A process that needs more memory than its function has dies while it computes.
  'out-of-memory',
] as const;

/** One of {@link faultKinds}. */
export type FaultKind = (typeof faultKinds)[number];

/** A fault that struck: its kind, and how often that kind could have struck before. */
export type Strike = { readonly kind: FaultKind; readonly chance: number };

/** Draws faults and remembers them. */
export type Faults = {
  /** Whether this one strikes, here and now. */
  readonly strike: (kind: FaultKind) => boolean;
  /** What struck, in order. */
  readonly struck: readonly Strike[];
};

/** How often faults strike, and which. */
export type FaultSettings = {
  readonly rate: number;
  /** Whether the storm is over. */
  readonly isOver: () => boolean;
  /** Those that may strike. */
  readonly kinds: ReadonlySet<FaultKind>;
  /** The strikes that still happen, which shrinking tries; all of them unless given. */
  readonly kept?: readonly Strike[] | undefined;
};

/**
 * Faults at a rate, until a storm is over. Each kind has random numbers of its own, so that a fault
 * that is left out leaves the others of its schedule where they are.
 */
export function createFaults(seed: number, { rate, isOver, kinds, kept }: FaultSettings): Faults {
  const struck: Strike[] = [];
  const chances = new Map<FaultKind, number>();
  return {
    struck,
    strike(kind) {
      const chance = chances.get(kind) ?? 0;
      chances.set(kind, chance + 1);
      const isDrawn = hashIntegers(seed, faultKinds.indexOf(kind), chance) / 2 ** 32 < rate;
      if (!isDrawn || !kinds.has(kind) || isOver()) return false;
      if (kept !== undefined && !kept.some((each) => each.kind === kind && each.chance === chance))
        return false;
      struck.push({ kind, chance });
      return true;
    },
  };
}
