import type { Expert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState } from '../engine.ts';
import { knowsLastLabel } from './labels.ts';
import type { Judgement } from './mixture.ts';

/**
 * A judgement in which the last label of a regression, before the first, is as bad as the worst: it
 * says 0 then, which is the mean, and would be heard as if it knew that. (Of specs since revision
 * 18.)
 */
export function withoutCredit(
  { task, revision = 0 }: Spec,
  experts: readonly Expert[],
  state: EngineState,
  judgement: Judgement,
): Judgement {
  if (task !== 'regression' || revision < 18 || knowsLastLabel(state)) return judgement;
  const isUnheard = experts.map((each) => 'predicts' in each && each.predicts === 'lastLabel');
  const asWorst = (sums: Float64Array) => {
    const worst = sums.reduce((most, sum) => Math.max(most, sum), 0);
    return sums.map((sum, expert) => (isUnheard[expert] ? worst : sum));
  };
  return {
    ...judgement,
    losses: asWorst(judgement.losses),
    squares: asWorst(judgement.squares),
  };
}
