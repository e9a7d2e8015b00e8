import * as z from 'zod';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';
import { refuse } from '../refusal.ts';
import { jobId } from '../spec/names.ts';
import { originSchema } from '../state/checkpoint-metadata.ts';
import {
  jobInForce,
  type Origin,
  type Parameters,
  rollbackInForce,
  type State,
} from '../state/state.ts';
import { type Command, committedWeights, type Reach, rejected, withParameters } from './command.ts';
import { commonHeader } from './header.ts';
import { numbering } from './numbering.ts';

const body = strictObject({
  ...numbering,
  retract: strictObject({
    job: jobId,
    digest: z.string().regex(/^[0-9a-f]{64}$/),
    /** The first entry that holds what is retracted. */
    from: z.int().positive(),
    messages: z.array(z.string().max(limits.producerCharacters)),
    samples: z.array(z.string().regex(/^[0-9a-f]{32}$/)),
    /** Promoted jobs that had learnt it, and are left out with it. */
    jobs: z.array(jobId).default([]),
    /** Where the weights come from; unknown of commands that were prepared before 0.32. */
    origin: originSchema.optional(),
  }),
});

const header = z.strictObject({
  kind: z.literal('retract'),
  ...commonHeader,
  job: jobId,
  digest: z.string(),
  caughtUp: z.int().nonnegative(),
  from: z.int().positive(),
  /** Ids of whole messages, hashes of single samples, and promoted jobs that had learnt them. */
  without: z.strictObject({
    messages: z.array(z.string()),
    samples: z.array(z.string()),
    jobs: z.array(z.string()).default([]),
  }),
  origin: originSchema.optional(),
});

/** What a retraction leaves out, and the file of weights that never learnt it. */
export type RetractBody = z.output<typeof body>['retract'];

/**
 * Puts weights that never learnt the retracted samples in place of the current ones, after they
 * have learnt what the stream taught since. Nothing is deleted: the entry names what was left out,
 * and later folds leave it out too.
 */
export const retract: Command<z.output<typeof body>, z.output<typeof header>> = {
  body,
  header,
  sharesEntry: false,
  weights: 'retracted',

  async decide(
    { challenger, stateAt },
    state,
    { retract: { job, digest, from, messages, samples, jobs, origin } },
  ) {
    const found = await challenger({ job, digest }, state.sequence);
    if (!found.ok) return rejected('retract', found);
    const [replaced] = found.passedOver;
    if (replaced !== undefined) {
      const reason =
        `entry ${replaced.sequence} (${replaced.kind}) put other weights in place ` +
        'since this was prepared; retract again';
      return rejected('retract', refuse('replaced-since', reason));
    }
    const without = { messages, samples, jobs };
    return {
      learnt: [],
      refused: [],
      state: await retracted(
        { state, stateAt },
        { from, sequence: state.sequence + 1, without, origin },
        found.parameters,
      ),
      header: {
        ...{ kind: 'retract', job, digest, caughtUp: found.caughtUp, from, without },
        ...(origin && { origin }),
      },
    };
  },

  async evolve(reach, settled, { header: own }) {
    const { stateAt } = reach;
    return retracted({ state: settled, stateAt }, own, await committedWeights(reach, own));
  },
};

async function retracted(
  { state, stateAt }: { readonly state: State } & Pick<Reach, 'stateAt'>,
  { sequence, ...own }: Pick<z.output<typeof header>, 'from' | 'sequence' | 'without' | 'origin'>,
  parameters: Parameters,
): Promise<State> {
  const { promoted, rollback } = own.origin ?? (await likelyOrigin({ state, stateAt }, own));
  return {
    ...withParameters(state, parameters),
    replaced: { sequence, ...(promoted && { promoted }), ...(rollback && { rollback }) },
    retractions: [...state.retractions, { from: own.from, sequence }],
  };
}

/** Of a command that does not say it: the weights' own, or that before the first sample left out. */
async function likelyOrigin(
  { state, stateAt }: { readonly state: State } & Pick<Reach, 'stateAt'>,
  { from, without }: Pick<z.output<typeof header>, 'from' | 'without'>,
): Promise<Origin> {
  const latest = jobInForce(state);
  const isLeftOut = latest !== undefined && without.jobs.includes(latest.job);
  const before = isLeftOut ? await stateAt(from - 1) : state;
  return { promoted: jobInForce(before), rollback: rollbackInForce(before) };
}
