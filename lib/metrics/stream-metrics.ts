import type { DeclaredLabel } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { areaOfClasses } from './class-ranks.ts';
import type { Earnings } from './earnings.ts';
import type { Earned } from './lately.ts';
import {
  areaLately,
  type OutcomeFigures,
  type Outcomes,
  type OutcomesOverTime,
  outcomeFigures,
  type Rival,
  type StreamOutcomes,
} from './outcomes.ts';
import { type RivalFigures, rivalFigures } from './rival-figures.ts';
import { type AreaFigures, areaFigures } from './scores.ts';

/** What the whole stream earned, each sample predicted before it was learnt. */
export type StreamMetrics = Omit<OutcomeFigures, 'accuracyOfCommonestLabel'> &
  AreaFigures & {
    /** In the unit of the spec's loss. */
    readonly loss: number;
    /** Of predicting the mean label, or the share of each class; absent in models of before 0.4. */
    readonly baselineLoss?: number;
    readonly accuracy?: number;
    readonly baselineAccuracy?: number;
    /** Of regressions by squared error, in the label's unit. */
    readonly baselineRootMeanSquaredError?: number;
    /** Of regressions by squared error: the share of the baseline's that is explained. */
    readonly rSquared?: number;
    /** Of saying the last label again: its loss in a regression, its accuracy otherwise. */
    readonly lastLabelLoss?: number;
    readonly lastLabelAccuracy?: number;
    /** Of predicting the mean label or the share of each class, and the last label again. */
    readonly rivals?: Readonly<Record<Rival, RivalFigures>>;
    /** The same of the last samples, each of which counts half after a thousand others. */
    readonly lately?: Omit<StreamMetrics, 'lately'>;
  };

/** What the stream earned up to a state; undefined before the first sample. */
export function metricsOf(
  { scores, prior, lately, outcomes }: Earnings,
  { task, loss, label }: Pick<Spec, 'task' | 'loss'> & { readonly label: DeclaredLabel },
): StreamMetrics | undefined {
  if (scores.samples === 0) return undefined;
  const isRegression = task === 'regression';
  const isSquared = isRegression && (loss ?? 'halfMeanSquaredError') === 'halfMeanSquaredError';
  // (The loss is half the mean squared error.)
  const rootOf = (mean: number | undefined) =>
    isSquared && mean !== undefined ? Math.sqrt(2 * mean) : undefined;
  const figuresOf = (
    weight: number,
    { model, prior: baseline, lastLabel }: EarnedByAll,
    own: Outcomes | undefined,
  ) => {
    const share = (sum: number | undefined) => (sum === undefined ? undefined : sum / weight);
    const { accuracyOfCommonestLabel: _, ...turnedOut } = own
      ? outcomeFigures({ task, label }, own, weight)
      : {};
    // (The losses of several outputs are of several units.)
    const isOne = label.outputs === undefined;
    const explained = isSquared && isOne && baseline !== undefined && baseline.loss > 0;
    return {
      ...turnedOut,
      ...(explained ? { rSquared: 1 - model.loss / baseline.loss } : {}),
      loss: model.loss / weight,
      baselineLoss: share(baseline?.loss),
      lastLabelLoss: isRegression ? share(lastLabel?.loss) : undefined,
      accuracy: isRegression ? undefined : share(model.correct),
      baselineAccuracy: isRegression ? undefined : share(baseline?.correct),
      lastLabelAccuracy: isRegression ? undefined : share(lastLabel?.correct),
      rootMeanSquaredError: rootOf(share(model.loss)) ?? turnedOut.rootMeanSquaredError,
      baselineRootMeanSquaredError: rootOf(share(baseline?.loss)),
    };
  };
  const { rivals } = outcomes ?? {};
  const rivalsIn = (time: keyof OutcomesOverTime, weight: number) =>
    rivals && rivalFigures({ task, label }, inTime(rivals, time), weight);
  const lastLabel = lately?.lastLabelSoFar;
  return {
    ...figuresOf(scores.weight, { model: scores, prior, lastLabel }, outcomes?.soFar),
    ...rivalsIn('soFar', scores.weight),
    ...(outcomes?.classRanks ? areaOfClasses(outcomes.classRanks.soFar) : areaFigures(scores)),
    ...(lately && {
      lately: {
        ...figuresOf(lately.weight, lately, outcomes?.lately),
        ...rivalsIn('lately', lately.weight),
        ...(outcomes && areaLately(outcomes)),
      },
    }),
  };
}

function inTime(
  { prior, lastLabel }: NonNullable<StreamOutcomes['rivals']>,
  time: keyof OutcomesOverTime,
): Readonly<Record<Rival, Outcomes>> {
  return { prior: prior[time], lastLabel: lastLabel[time] };
}

/** What was earned by a model, and by those that one has for nothing. */
type EarnedByAll = {
  readonly model: Earned;
  readonly prior?: Earned | undefined;
  readonly lastLabel?: Earned | undefined;
};
