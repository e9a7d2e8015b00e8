import * as z from 'zod';
import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import type { State } from '../state/state.ts';
import type { ComparedFold } from './compared-fold.ts';
import { lookAtWork, type WorkSoFar } from './side-by-side.ts';
import { type Verification, verified } from './verify.ts';

/** The number of an entry, or 0 before the first. */
export const sequence: z.ZodInt = z.int().nonnegative();

/** Entries between two stored states, which are folded by themselves. */
export const stretchSchema = z.strictObject({ from: sequence, to: sequence });

const comparedSchema = z.strictObject({
  from: sequence,
  to: sequence,
  otherArithmetics: z.array(z.string()),
  /** A difference that is not finite is null. */
  differences: z.record(z.string(), z.number().nullable()),
  largest: z.number().nullable(),
  verdict: z.enum(['same', 'rounding', 'unknown', 'different']),
});

/** What a stretch came to, as it is stored. */
const outcomeSchema = z.strictObject({
  from: sequence,
  to: sequence,
  samples: z.int(),
  stretches: z.array(comparedSchema),
  lostCheckpoints: z.array(sequence),
  damagedStates: z.array(sequence),
  /** Why it cannot be folded. */
  failure: z.string().optional(),
});
/** What a stretch came to. */
export type Outcome = z.output<typeof outcomeSchema>;

/** A journal that is verified side by side. */
export type VerificationRun = {
  readonly model: string;
  readonly run: string;
  readonly stretches: readonly z.output<typeof stretchSchema>[];
  /** The published state that it is held against, if there is one. */
  readonly published: State | undefined;
};

/** The files of a run. */
export const fileOf = {
  published: 'published.safetensors',
  outcome: (to: number) => `${to}.json`,
  progress: (to: number) => `${to}-progress.json`,
  state: (to: number) => `${to}-state.safetensors`,
};

/**
 * What a fold came to, as it is stored. Entries that were held against nothing are folded by the
 * next stretch once more, and counted there.
 */
export function outcomeOf(
  stretch: z.output<typeof stretchSchema>,
  { samples, stretches, lostCheckpoints, damagedStates }: Omit<ComparedFold, 'state' | 'rest'>,
): Outcome {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    ...stretch,
    samples: stretches.length === 0 ? 0 : samples,
    lostCheckpoints: [...lostCheckpoints],
    damagedStates: [...damagedStates],
    stretches: stretches.map(({ differences, largest, otherArithmetics, ...compared }) => ({
      ...compared,
      otherArithmetics: [...otherArithmetics],
      largest: finite(largest),
      differences: Object.fromEntries(
        [...differences].map(([name, value]) => [name, finite(value)]),
      ),
    })),
  };
}

/** What became of a run so far. */
export type RunSoFar = WorkSoFar<Outcome> & {
  /** Entries of stretches that are done. */
  readonly entries: number;
};

/** Looks what became of a run. @throws MillraceError kind `unavailable` if S3 does not answer */
export async function runSoFar(
  store: ObjectStore,
  { model, run, stretches }: VerificationRun,
  known?: RunSoFar['outcomes'],
): Promise<RunSoFar> {
  const files = stretches.map(({ to }) => fileOf.outcome(to));
  const work = { folder: keys.allVerified(model, run), files };
  const soFar = await lookAtWork(store, work, outcomeSchema, known);
  const entries = [...soFar.outcomes.values()].reduce((sum, { from, to }) => sum + to - from, 0);
  return { ...soFar, entries };
}

/** What a journal came to that was verified side by side. */
export type SideBySide = Verification & {
  /** Stretches of which nothing can be said, and why. */
  readonly failures: readonly {
    readonly from: number;
    readonly to: number;
    readonly reason: string;
  }[];
};

/** What the outcomes of a run come to together. */
export function joinOutcomes(
  { stretches, published }: VerificationRun,
  outcomes: RunSoFar['outcomes'],
): SideBySide {
  const infinite = (value: number | null) => value ?? Number.POSITIVE_INFINITY;
  const inOrder = [...outcomes.values()].sort((a, b) => a.to - b.to);
  const compared = inOrder.flatMap((outcome) =>
    outcome.stretches.map(({ differences, largest, ...own }) => ({
      ...own,
      largest: infinite(largest),
      differences: new Map(
        Object.entries(differences).map(([name, value]) => [name, infinite(value)]),
      ),
    })),
  );
  const failures = stretches.flatMap(({ from, to }) => {
    const outcome = outcomes.get(fileOf.outcome(to));
    if (outcome === undefined) return [{ from, to, reason: 'nobody could fold it; see the logs' }];
    return outcome.failure === undefined ? [] : [{ from, to, reason: outcome.failure }];
  });
  const all = verified(
    {
      from: 0,
      to: stretches.at(-1)?.to ?? 0,
      samples: inOrder.reduce((sum, { samples }) => sum + samples, 0),
      stretches: compared,
      lostCheckpoints: inOrder.flatMap(({ lostCheckpoints }) => lostCheckpoints),
      // (The next stretch begins at an earlier one, and comes by it too.)
      damagedStates: [...new Set(inOrder.flatMap(({ damagedStates }) => damagedStates))],
    },
    published,
  );
  const isWhole = failures.length === 0 && reach(compared) === all.to;
  return { ...all, isSame: all.isSame && isWhole, failures };
}

/** The entry up to which stretches follow one another, from the beginning. */
function reach(stretches: readonly { readonly from: number; readonly to: number }[]): number {
  return stretches.reduce((end, { from, to }) => (from <= end ? Math.max(end, to) : end), 0);
}
