import type { Expert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState } from '../engine.ts';
import { labelsSoFar } from './labels.ts';
import type { Constants } from './long-run.ts';
import type { Judgement } from './mixture.ts';
import { mixtureOf } from './mixture-tensors.ts';
import { type Stack, withoutWeight } from './stack.ts';

/** In longer messages, on average, what it is worth is not told apart from what is always said. */
const shortMessage = 4;

/** How far the last label of a regression is heard, which says the same of a whole message. */
export type LastLabel = {
  readonly constants: Constants;
  /**
   * A judgement in which it is as bad as the worst before the first label: it says 0 then, which is
   * the mean, and would be heard as if it knew that. (Of specs since revision 18.)
   */
  readonly judged: (state: EngineState, judgement: Judgement) => Judgement;
  /**
   * Answers that a stack learns from: it is 0, the mean of standardised labels, where it has been
   * no better than that in long messages. Of labels that are mostly 0 a stack takes it for a
   * constant there, and counts on it when it is another once. (Of specs since revision 19.)
   *
   * @param each answers of the experts, in their order
   */
  readonly heard: (state: EngineState, each: readonly Float32Array[]) => readonly Float32Array[];
  /** A state whose stack does not count on it, where it is not heard. */
  readonly silenced: (state: EngineState) => EngineState;
};

/** Among experts of a spec. */
export function lastLabelAmong(
  { task, revision = 0 }: Spec,
  experts: readonly Expert[],
  stack: Stack | undefined,
): LastLabel {
  const placeOf = (what: string) =>
    experts.findIndex((each) => 'predicts' in each && each.predicts === what);
  const [prior, place] = [placeOf('prior'), placeOf('lastLabel')];
  const isThere = task === 'regression' && place >= 0;
  const asWorst = (sums: Float64Array) => sums.with(place, Math.max(...sums));
  const isSilent = (state: EngineState) => {
    if (stack === undefined || stack.silent < 0) return false;
    const { count, messages } = labelsSoFar(state);
    const { roots = [] } = mixtureOf(state).longRun ?? {};
    return count >= shortMessage * messages && (roots[place] ?? 0) >= (roots[prior] ?? 0);
  };
  return {
    constants: { prior, strict: isThere && revision >= 19 ? place : -1 },
    judged(state, judgement) {
      if (!isThere || revision < 18 || labelsSoFar(state).count > 0) return judgement;
      const { losses, squares } = judgement;
      return { ...judgement, losses: asWorst(losses), squares: asWorst(squares) };
    },
    heard: (state, each) =>
      isSilent(state) ? each.with(place, new Float32Array(each[place]?.length ?? 0)) : each,
    silenced: (state) => (stack && isSilent(state) ? withoutWeight(state, stack.silent) : state),
  };
}
