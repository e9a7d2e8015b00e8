import * as z from 'zod';
import { mergeAllLags } from '../features/lags.ts';
import type { Model } from '../model/model.ts';
import { show, strictObject } from '../parse.ts';
import { refuse } from '../refusal.ts';
import { jobId } from '../spec/names.ts';
import { ofOtherWeights } from '../state/drift.ts';
import type { Parameters, State } from '../state/state.ts';
import {
  type Command,
  committedWeights,
  rejected,
  withoutEffect,
  withParameters,
} from './command.ts';
import { commonHeader } from './header.ts';
import { numbering } from './numbering.ts';

const body = strictObject({
  ...numbering,
  promote: strictObject({ job: jobId, digest: z.string().regex(/^[0-9a-f]{64}$/) }),
});

const header = z.strictObject({
  kind: z.literal('promote'),
  ...commonHeader,
  job: jobId,
  digest: z.string(),
  /** The entry up to which the job's weights had learnt the journal. */
  caughtUp: z.int().nonnegative(),
});

/**
 * Puts a batch job's weights in place of the champion's: they learn the entries that they have not
 * seen, and the current ledger stays, so that no online update is lost to a batch job. A promotion
 * that was committed before, and is sent again by a slice that ran twice, changes nothing. One that
 * other weights overtook, such as a rollback's, is refused.
 */
export const promote: Command<z.output<typeof body>, z.output<typeof header>> = {
  body,
  header,
  sharesEntry: false,
  weights: 'replaced',

  async decide({ model, challenger }, state, { promote: file }) {
    const found = await challenger(file, state.sequence);
    if (!found.ok) return rejected('promote', found);
    const { parameters, caughtUp, passedOver } = found;
    const { job } = file;
    if (passedOver.some((entry) => entry.kind === 'promote' && entry.job === job))
      return withoutEffect;
    // Another promotion may be put aside, and nothing else that somebody asked for.
    const standing = passedOver.find(({ kind }) => kind !== 'promote');
    if (standing !== undefined) {
      const reason =
        `entry ${standing.sequence} (${standing.kind}) put other weights in place than job ${job} ` +
        'was compared with; start a new job';
      return rejected('promote', refuse('rolled-back-since', reason));
    }
    const missing = missingClass(state, parameters);
    if (missing !== undefined) {
      const reason =
        `job ${job} has no place for class ${show(missing)}, which came on the stream meanwhile; ` +
        'raise label.maxClasses with `millrace spec`, and start a new job';
      return rejected('promote', refuse('unknown-class', reason));
    }
    return {
      learnt: [],
      refused: [],
      state: promoted(model, state, { job, sequence: state.sequence + 1 }, parameters),
      header: { kind: 'promote', ...file, caughtUp },
    };
  },

  async evolve(reach, settled, { header: own }) {
    return promoted(reach.model, settled, own, await committedWeights(reach, own));
  },
};

/** A class that some weights know and others do not. */
function missingClass({ statistics: { classNames = [] } }: Parameters, others: Parameters) {
  const known = new Set(others.statistics.classNames);
  return classNames.find((name) => !known.has(name));
}

function promoted(
  model: Model,
  state: State,
  { job, sequence }: NonNullable<State['promoted']>,
  parameters: Parameters,
): State {
  return {
    ...withParameters(state, ofStream(model, state, parameters)),
    promoted: { job, sequence },
  };
}

/**
 * A job's parameters with what the stream alone knows: its last values are newer than those of a
 * dataset, and its changes were found on it.
 */
function ofStream(
  { encoder: { layout } }: Model,
  { statistics: { lags: newest }, drift }: State,
  parameters: Parameters,
): Parameters {
  const { statistics } = parameters;
  const lags = mergeAllLags(layout, statistics.lags, newest);
  return {
    ...parameters,
    ...(drift && { drift: ofOtherWeights(drift) }),
    statistics: { ...statistics, ...(lags && { lags }) },
  };
}
