import { addArrays } from '../arithmetic.ts';
import { countClasses } from './class-weights.ts';
import { namesOfClasses } from './classes.ts';
import { emptyLags, type LagHistory } from './lags.ts';
import {
  countOf,
  decayed,
  emptyMoments,
  type ForgettingMoments,
  type Moments,
  mergeMoments,
  momentsOf,
} from './moments.ts';
import type { EncodedSamples, Floats, Layout } from './samples.ts';
import { emptySpread, lessSpread, mergeSpreads, type Spread, spreadOf } from './spread.ts';
import { emptyTargets, type TargetSums } from './target-means.ts';
import { emptyVocabulary, type Vocabulary } from './vocabulary.ts';

/**
 * Running mean and sum of squared deviations of each number column, over `count` samples; float64.
 * Where labels are standardised, the last columns are theirs.
 */
export type FeatureStatistics = Moments & {
  /** How many samples had no value in each column; of layouts in which some may have none. */
  readonly gaps?: Float64Array;
  /** The same of the number columns alone, for each half-life of the layout. */
  readonly forgetting?: readonly ForgettingMoments[];
  /**
   * The least and the greatest label, where experts' predictions are bounded by them; those of each
   * output, one after another.
   */
  readonly labelRange?: readonly number[];
  /** The classes that have places, in order; of layouts in which they get them as they come. */
  readonly classNames?: readonly string[];
  /** How much each class has weighed, [classes]; of layouts that count them. */
  readonly classes?: Float64Array;
  /** Of columns that are scaled by their spread, in the order of the layout. */
  readonly spreads?: readonly Spread[];
  /** What labels the values of each target mean of the layout had. */
  readonly targets?: readonly TargetSums[];
  /** The last values of samples, for each lag of the layout. */
  readonly lags?: readonly LagHistory[];
  /** Which values have rows, for each vocabulary of the layout: what the weights are of. */
  readonly vocabularies?: readonly Vocabulary[];
};

/** How many columns a layout's statistics have. */
export function statisticsWidth({ numberWidth, standardizesLabel, labelWidth }: Layout): number {
  return numberWidth + (standardizesLabel ? (labelWidth ?? 1) : 0);
}

/** Statistics of no samples. */
export function emptyStatistics(layout: Layout): FeatureStatistics {
  return completed(emptyMoments(statisticsWidth(layout)), layout);
}

/** Statistics with all that a layout wants: what they lacked is empty. */
export function completed(statistics: FeatureStatistics, layout: Layout): FeatureStatistics {
  const { halfLives = [], targets, lags, vocabularies, numberWidth, countedClasses } = layout;
  const { classes, ...others } = statistics;
  const { count, mean } = statistics;
  const { forgetting = [] } = others;
  const allOf = (samples: number) => new Float64Array(mean.length).fill(samples);
  const each = halfLives.map((halfLife) => {
    const known = forgetting.find((moments) => moments.halfLife === halfLife);
    const own = known ?? { halfLife, ...emptyMoments(numberWidth) };
    const { counts = allOf(own.count).subarray(0, numberWidth) } = own;
    return layout.nullable ? { ...own, counts } : own;
  });
  return {
    ...others,
    ...(layout.nullable && {
      counts: statistics.counts ?? allOf(count),
      gaps: statistics.gaps ?? allOf(0),
    }),
    ...(each.length > 0 ? { forgetting: each } : {}),
    ...(targets && { targets: statistics.targets ?? targets.map(emptyTargets) }),
    ...(lags && { lags: statistics.lags ?? lags.map(emptyLags) }),
    ...(vocabularies && {
      vocabularies: statistics.vocabularies ?? vocabularies.map(emptyVocabulary),
    }),
    ...(layout.spreads && { spreads: statistics.spreads ?? layout.spreads.map(emptySpread) }),
    ...(layout.growingClasses && { classNames: namesOfClasses(layout, statistics) }),
    ...(countedClasses === undefined
      ? {}
      : { classes: classes ?? new Float64Array(countedClasses) }),
  };
}

/** The statistics of some samples alone. */
export function statisticsOf(samples: EncodedSamples, layout: Layout): FeatureStatistics {
  const { numberWidth, labelWidth = 1, halfLives = [] } = layout;
  const { count, raw, labels } = samples;
  const valueAt = (row: number, column: number) =>
    (column < numberWidth
      ? raw[row * numberWidth + column]
      : labels[row * labelWidth + column - numberWidth]) ?? 0;
  const hasGaps = layout.nullable !== undefined;
  const values = { rows: count, columns: statisticsWidth(layout), valueAt, hasGaps };
  const moments = momentsOf(values);
  const classes = countClasses(samples, layout);
  const spreads = layout.spreads?.map((each) =>
    spreadOf(each, count, (row) => valueAt(row, each.column)),
  );
  const all = {
    ...moments,
    ...(moments.counts && { gaps: moments.counts.map((known) => count - known) }),
    ...(spreads && { spreads }),
    ...(layout.hasLabelRange ? { labelRange: rangesOf(labels, labelWidth) } : {}),
    ...(classes && { classes }),
  };
  if (halfLives.length === 0) return all;
  const forgetting = halfLives.map((halfLife) => ({
    halfLife,
    ...momentsOf({ ...values, columns: numberWidth }, halfLife),
  }));
  return { ...all, forgetting };
}

/**
 * The statistics of both sets of samples together, `b` the later ones. What is known of labels and
 * values stays that of `a`; see {@link mergeTargets}, {@link mergeLags}, {@link withValuesOf}.
 */
export function mergeStatistics(
  a: FeatureStatistics,
  b: FeatureStatistics,
  layout: Layout,
): FeatureStatistics {
  const { targets, lags, vocabularies, classNames } = a;
  const history = {
    ...(classNames && { classNames }),
    ...(targets && { targets }),
    ...(lags && { lags }),
    ...(vocabularies && { vocabularies }),
  };
  if (a.count === 0) return { ...b, ...history };
  if (b.count === 0) return a;
  const [range, other = range] = [a.labelRange, b.labelRange];
  const labelRange = range && other && { labelRange: widestOf(range, other) };
  const classes = a.classes?.map((weight, at) => weight + (b.classes?.[at] ?? 0));
  const spreads = layout.spreads?.map((each, i) =>
    mergeSpreads(each, a.spreads?.[i] ?? emptySpread(each), b.spreads?.[i] ?? emptySpread(each)),
  );
  const merged = {
    ...mergeMoments(a, b),
    ...(a.gaps && b.gaps && { gaps: addArrays(a.gaps, b.gaps) }),
    ...(spreads && { spreads }),
    ...history,
    ...labelRange,
    ...(classes && { classes }),
  };
  const { forgetting } = b;
  if (forgetting === undefined) return merged;
  return {
    ...merged,
    forgetting: forgetting.map((later) => {
      const earlier = a.forgetting?.find(({ halfLife }) => halfLife === later.halfLife);
      if (earlier === undefined) return later;
      const { halfLife } = later;
      return { halfLife, ...mergeMoments(decayed(earlier, b), later) };
    }),
  };
}

/** Statistics whose means and deviations stay, and count as so many samples at most. */
export function forgetful(
  statistics: FeatureStatistics,
  layout: Layout,
  most: number,
): FeatureStatistics {
  const { count, counts, gaps, mean, squares, classes, targets, spreads } = statistics;
  if (count <= most) return statistics;
  const share = most / count;
  const lessOf = (value: number) => value * share;
  const shareOf = (column: number) => Math.min(most / countOf(statistics, column), 1);
  return {
    ...statistics,
    count: most,
    ...(counts && { counts: counts.map((own) => Math.min(own, most)) }),
    ...(gaps && { gaps: gaps.map((own, column) => own * shareOf(column)) }),
    squares: squares.map((own, column) => own * shareOf(column)),
    ...(classes && { classes: classes.map(lessOf) }),
    ...(spreads && {
      spreads: spreads.map((each, i) =>
        lessSpread(each, shareOf(layout.spreads?.[i]?.column ?? mean.length)),
      ),
    }),
    ...(targets && {
      targets: targets.map(({ sums, counts, total, totalCount }) => ({
        sums: sums.map(lessOf),
        counts: counts.map(lessOf),
        total: total.map(lessOf),
        totalCount: totalCount * share,
      })),
    }),
  };
}

/** The least and the greatest of each output. */
function rangesOf(labels: Floats, width: number): readonly number[] {
  const ranges = Array.from({ length: width }, () => [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]).flat();
  labels.forEach((label, i) => {
    const at = 2 * (i % width);
    ranges[at] = Math.min(ranges[at] ?? label, label);
    ranges[at + 1] = Math.max(ranges[at + 1] ?? label, label);
  });
  return ranges;
}

function widestOf(a: readonly number[], b: readonly number[]): readonly number[] {
  return a.map((bound, at) => Math[at % 2 === 0 ? 'min' : 'max'](bound, b[at] ?? bound));
}
