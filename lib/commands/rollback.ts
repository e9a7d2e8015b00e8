import * as z from 'zod';
import { strictObject } from '../parse.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import { jobInForce, type State, withEarnings } from '../state/state.ts';
import { type Command, rejected, withParameters } from './command.ts';
import { commonHeader } from './header.ts';
import { numbering } from './numbering.ts';

const body = strictObject({
  ...numbering,
  rollback: strictObject({
    /** The entry whose weights come back; 0 for those before the first. */
    to: z.int().nonnegative(),
  }),
});

const header = z.strictObject({
  kind: z.literal('rollback'),
  ...commonHeader,
  to: z.int().nonnegative(),
});

/**
 * Puts the weights of an earlier entry in place of the current ones. Nothing is deleted, and the
 * ledger stays: what was settled since then stays settled, and the stream goes on from the old
 * weights. If the spec was changed since then, the old spec holds again, and its scores go on.
 */
export const rollback: Command<z.output<typeof body>, z.output<typeof header>> = {
  body,
  header,
  sharesEntry: false,
  weights: 'replaced',

  async decide({ stateAt }, state, { rollback: { to } }) {
    const possible = canRollBack(state, to);
    if (!possible.ok) return rejected('rollback.to', possible);
    return {
      learnt: [],
      refused: [],
      state: backAt(state, await stateAt(to), { to, sequence: state.sequence + 1 }),
      header: { kind: 'rollback', to },
    };
  },

  async evolve({ stateAt }, settled, { header: { to, sequence } }) {
    return backAt(settled, await stateAt(to), { to, sequence });
  },
};

/** A state with the weights of an earlier one, and with its spec, if that was another. */
function backAt(
  state: State,
  earlier: State,
  { sequence, to }: { readonly sequence: number; readonly to: number },
): State {
  const promoted = jobInForce(earlier);
  const replaced = { sequence, to, ...(promoted && { promoted }) };
  const own = { ...withParameters(state, earlier), replaced };
  const { specHash, specSince } = earlier;
  if (specHash === state.specHash && specSince === state.specSince) return own;
  return withEarnings({ ...own, specHash, specSince }, earlier);
}

/**
 * Whether there is a way back to an entry: it exists, and its weights never learnt what was
 * retracted after it.
 */
export function canRollBack(
  { sequence: last, retractions }: Pick<State, 'sequence' | 'retractions'>,
  to: number,
): Accepted | Refused {
  if (to > last) return refuse('no-such-entry', `the journal ends at entry ${last} (found ${to})`);
  const retraction = retractions.find(({ from, sequence }) => from <= to && to < sequence);
  if (retraction === undefined) return accepted;
  const { from, sequence } = retraction;
  return refuse(
    'retracted-since',
    `entry ${sequence} retracted samples that entry ${to} may have learnt; ` +
      `go back to entry ${sequence} or a later one, or to one before ${from}`,
  );
}
