import { type Expert, predictsBy } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState } from '../engine.ts';
import type { Judgement } from './judgement.ts';
import { knowsLastLabel } from './labels.ts';
import type { Constants } from './long-run.ts';
import { mixtureOf } from './mixture-tensors.ts';
import type { Stack } from './stack.ts';

/** How far the last label of a regression is heard, which says the same of a whole message. */
export type LastLabel = {
  readonly constants: Constants;
  /**
   * A judgement in which it is as bad as the worst before the first label: it says 0 then, which is
   * the mean, and would be heard as if it knew that. (Of specs since revision 18.)
   */
  readonly judged: (state: EngineState, judgement: Judgement) => Judgement;
  /** A stack as it learns at a state: from one that beats the mean, or is alone, as from all. */
  readonly learning: (stack: Stack, state: EngineState) => Stack;
};

/** Among experts of a spec. */
export function lastLabelAmong(
  { task, revision = 0 }: Spec,
  experts: readonly Expert[],
): LastLabel {
  const prior = experts.findIndex((each) => predictsBy(each, 'prior'));
  const place = experts.findIndex((each) => predictsBy(each, 'lastLabel'));
  const isThere = task === 'regression' && place >= 0;
  const asWorst = (sums: Float64Array) => sums.with(place, Math.max(...sums));
  return {
    constants: { prior, strict: isThere && revision >= 19 ? place : -1 },
    judged(state, judgement) {
      if (!isThere || revision < 18 || knowsLastLabel(state)) return judgement;
      const { losses, squares } = judgement;
      return { ...judgement, losses: asWorst(losses), squares: asWorst(squares) };
    },
    learning(stack, state) {
      // (Of most stacks nothing need be looked up.)
      if (stack.repeating < 0) return stack;
      const { roots = [] } = mixtureOf(state).longRun ?? {};
      const isBetter = prior < 0 || (roots[place] ?? 0) < (roots[prior] ?? 0);
      return isBetter ? { ...stack, repeating: -1 } : stack;
    },
  };
}
