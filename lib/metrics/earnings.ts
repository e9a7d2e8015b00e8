import { inOrderOf } from '../features/classes.ts';
import type { Floats } from '../features/samples.ts';
import type { Spec } from '../spec/spec.ts';
import { movedClassRanks, ranksOfClasses } from './class-ranks.ts';
import {
  type Earned,
  emptyLately,
  type Lately,
  lastLabelPrediction,
  latelyAfter,
} from './lately.ts';
import {
  type MessageOutcomes,
  noOutcomes,
  type Outcomes,
  type OutcomesOverTime,
  outcomesAfter,
  outcomesOf,
  outcomesOfSaid,
  type Rival,
  type StreamOutcomes,
} from './outcomes.ts';
import { emptyPrior, type Prior, priorAfter, priorPrediction } from './prior.ts';
import { type SaidAtLoss, saidConstant } from './rival-sums.ts';
import { addScores, emptyScores, type Labelled, type Scores } from './scores.ts';

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

/** A message that was predicted before it was learnt. */
export type PredictedMessage = {
  readonly samples: Labelled;
  /** [count, outputs] */
  readonly predictions: Floats;
  /** Of the predictions. */
  readonly scores: Scores;
};

/** What a stream has earned after one more message. */
export function earningsAfter(spec: Spec, before: Earnings, message: PredictedMessage): Earnings {
  const { scores, prior, lately, outcomes } = before;
  const { samples, scores: own } = message;
  const priorNow = prior && priorAfter(spec, prior, scores, samples);
  return {
    scores: addScores(scores, own),
    ...(priorNow && { prior: priorNow }),
    ...(lately && {
      lately: latelyAfter(spec, lately, {
        ...samples,
        model: own,
        prior: between(prior, priorNow),
      }),
    }),
    ...(outcomes && { outcomes: outcomesAfter(outcomes, turnedOut(spec, before, message), own) }),
  };
}

/** What those say of the next message who look at no feature. */
export function rivalsBefore(
  spec: Spec,
  { scores, prior, lately }: Earnings,
): Readonly<Record<Rival, SaidAtLoss>> {
  return {
    prior: saidConstant(spec, prior && priorPrediction(spec, prior.sums, scores)),
    lastLabel: saidConstant(spec, lately && lastLabelPrediction(spec, lately)),
  };
}

/** How predictions of a message turned out, and those of rivals where they are kept. */
function turnedOut(
  spec: Spec,
  before: Earnings,
  { samples, predictions }: PredictedMessage,
): MessageOutcomes {
  const classRanks = before.outcomes?.classRanks && ranksOfClasses(spec, predictions, samples);
  const model = outcomesOf(spec, predictions, samples);
  if (before.outcomes?.rivals === undefined) return { model };
  const { prior, lastLabel } = rivalsBefore(spec, before);
  return {
    model,
    classRanks,
    rivals: {
      prior: outcomesOfSaid(spec, samples, prior),
      lastLabel: outcomesOfSaid(spec, samples, lastLabel),
    },
  };
}

/** What was earned between two states. */
function between(before: Earned = nothing, after: Earned = nothing): Earned {
  return { loss: after.loss - before.loss, correct: after.correct - before.correct };
}

const nothing: Earned = { loss: 0, correct: 0 };

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
  const known = new Set(after);
  const isLost = before.some((name) => !known.has(name));
  return {
    ...(prior && { prior: { ...prior, sums: inOrder(prior.sums) } }),
    ...(lately && { lately: withMovedLabel(lately, before, after) }),
    ...(outcomes && {
      outcomes: {
        ...withMovedOutcomes(outcomes, isLost && outcomes.rivals ? none : inOrder),
        ...(outcomes.classRanks && {
          classRanks: movedClassRanks(outcomes.classRanks, before, after),
        }),
      },
    }),
  };
}

type Move = (values: Float64Array) => Float64Array;

/**
 * Without a class that lost its place, the sums of the others are those of no confusion: what was
 * taken for it, or it for what, is not known. They begin anew (since revision 9).
 */
const none: Move = (values) => new Float64Array(values.length);

function withMovedOutcomes({ rivals, ...own }: StreamOutcomes, inOrder: Move): StreamOutcomes {
  const moved = ({ soFar, lately }: OutcomesOverTime) => ({
    soFar: withMovedSums(soFar, inOrder),
    lately: withMovedSums(lately, inOrder),
  });
  return {
    ...own,
    ...moved(own),
    ...(rivals && {
      rivals: { prior: moved(rivals.prior), lastLabel: moved(rivals.lastLabel) },
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

function withMovedSums({ classes, ...outcomes }: Outcomes, inOrder: Move): Outcomes {
  const count = classes.length / 3;
  const moved = new Float64Array(classes.length);
  for (let part = 0; part < 3; part++)
    moved.set(inOrder(classes.slice(part * count, (part + 1) * count)), part * count);
  return { ...outcomes, classes: moved };
}
