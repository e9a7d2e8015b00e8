import * as z from 'zod';
import { keys } from '../bucket/keys.ts';
import { isOfKind, lost, reasonOf } from '../errors.ts';
import { nothingEarned } from '../metrics/earnings.ts';
import type { Model } from '../model/model.ts';
import { strictObject } from '../parse.ts';
import { refuse } from '../refusal.ts';
import { jobId } from '../spec/names.ts';
import { type Parameters, type State, withEarnings } from '../state/state.ts';
import { type Command, committedWeights, rejected, withParameters } from './command.ts';
import { commonHeader } from './header.ts';
import { numbering } from './numbering.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * Where weights under another spec come from: the journal, learnt by it from the beginning, or the
 * weights in use, where the specs differ only in how they go on.
 */
export const specOrigins = ['journal', 'weights'] as const;

const body = strictObject({
  ...numbering,
  spec: strictObject({
    job: jobId,
    digest: hash,
    /** The hash of the spec that is to hold. */
    to: hash,
    from: z.enum(specOrigins),
  }),
});

const header = z.strictObject({
  kind: z.literal('spec'),
  ...commonHeader,
  job: jobId,
  digest: z.string(),
  caughtUp: z.int().nonnegative(),
  to: z.string(),
  from: z.enum(specOrigins),
});

/** A spec that is to hold, and the file of weights that have learnt the stream by it. */
export type SpecBody = z.output<typeof body>['spec'];

/**
 * Puts another spec in force, with weights that have learnt the stream by it; they first learn what
 * arrived since. What the stream teaches from then on is read, predicted and learnt by the new
 * spec. The ledger stays, and so does what was retracted. The scores begin anew unless the weights
 * in use go on: losses of two specs are not of one kind.
 */
export const spec: Command<z.output<typeof body>, z.output<typeof header>> = {
  body,
  header,
  sharesEntry: false,
  weights: 'replaced',

  async decide({ modelOf, challenger }, state, { spec: { job, digest, to, from } }) {
    if (to === state.specHash && from === 'weights')
      return rejected('spec', refuse('same-spec', `it is the spec of ${state.model} already`));
    const next = await modelOf(to).catch(reasonUnlessAway);
    if (next === undefined || typeof next === 'string')
      return rejected('spec', refuse('no-such-spec', next ?? `${state.model} has no spec ${to}`));
    const found = await challenger({ job, digest }, state.sequence, next);
    if (!found.ok) return rejected('spec', found);
    const [replaced] = found.passedOver;
    if (replaced !== undefined) {
      const reason =
        `entry ${replaced.sequence} (${replaced.kind}) put other weights in place ` +
        'since this was prepared; change the spec again';
      return rejected('spec', refuse('replaced-since', reason));
    }
    return {
      learnt: [],
      refused: [],
      state: changed(next, state, { sequence: state.sequence + 1, from }, found.parameters),
      header: { kind: 'spec', job, digest, caughtUp: found.caughtUp, to, from },
    };
  },

  async evolve(reach, settled, { header: own }) {
    const next = await reach.modelOf(own.to);
    if (next === undefined) throw lost(keys.laterSpec(own.model, own.to));
    return changed(next, settled, own, await committedWeights(reach, own, next));
  },
};

/** For `.catch()`: what is wrong with a spec that is stored must not stop the stream. */
function reasonUnlessAway(error: unknown): string {
  if (isOfKind(error, 'unavailable')) throw error;
  return reasonOf(error);
}

function changed(
  { spec: own, specHash }: Model,
  state: State,
  { sequence: specSince, from }: { readonly sequence: number; readonly from: SpecBody['from'] },
  parameters: Parameters,
): State {
  const next = { ...withParameters(state, parameters), specHash, specSince };
  if (from === 'weights') return next;
  return withEarnings({ ...next, replaced: { sequence: specSince } }, nothingEarned(own));
}
