import { inOrderOf } from '../features/classes.ts';
import type { Spec } from '../spec/spec.ts';
import { emptyLately, type Lately } from './lately.ts';
import { noOutcomes, type Outcomes, type StreamOutcomes } from './outcomes.ts';
import { emptyPrior, type Prior } from './prior.ts';
import { emptyScores, type Scores } from './scores.ts';

/** What a stream has earned; the later parts of models that were declared since there are some. */
export type Earnings = {
  readonly scores: Scores;
  readonly prior?: Prior;
  readonly lately?: Lately;
  readonly outcomes?: StreamOutcomes;
};

/** What a stream has earned before its first sample, by the rules of a spec. */
export function nothingEarned(spec: Spec): Earnings {
  const { revision = 0 } = spec;
  return {
    scores: emptyScores(spec),
    ...(revision >= 1 && { prior: emptyPrior(spec) }),
    ...(revision >= 5 && { lately: emptyLately() }),
    ...(revision >= 6 && { outcomes: noOutcomes(spec) }),
  };
}

/**
 * What parts of {@link nothingEarned} know of single classes, where those stand at other places
 * now.
 *
 * @param before the classes that had places
 * @param after those that have them now
 */
export function withMovedClasses(
  { prior, lately, outcomes }: Pick<Earnings, 'prior' | 'lately' | 'outcomes'>,
  before: readonly string[],
  after: readonly string[],
): Omit<Earnings, 'scores'> {
  const inOrder = (values: Float64Array) => inOrderOf(values, before, after);
  return {
    ...(prior && { prior: { ...prior, sums: inOrder(prior.sums) } }),
    ...(lately && { lately: withMovedLabel(lately, before, after) }),
    ...(outcomes && {
      outcomes: {
        ...outcomes,
        soFar: withMovedSums(outcomes.soFar, inOrder),
        lately: withMovedSums(outcomes.lately, inOrder),
      },
    }),
  };
}

/** The last label at its place; of a class that lost its place there is none. */
function withMovedLabel(
  { label, ...others }: Lately,
  before: readonly string[],
  after: readonly string[],
): Lately {
  const place = label === undefined ? -1 : after.indexOf(before[label] ?? '');
  return place < 0 ? others : { ...others, label: place };
}

function withMovedSums(
  { classes, ...outcomes }: Outcomes,
  inOrder: (values: Float64Array) => Float64Array,
): Outcomes {
  const count = classes.length / 3;
  const moved = new Float64Array(classes.length);
  for (let part = 0; part < 3; part++)
    moved.set(inOrder(classes.slice(part * count, (part + 1) * count)), part * count);
  return { ...outcomes, classes: moved };
}
