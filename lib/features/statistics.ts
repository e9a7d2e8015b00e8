import { countClasses } from './class-weights.ts';
import { namesOfClasses } from './classes.ts';
import { emptyLags, type LagHistory } from './lags.ts';
import {
  decayed,
  emptyMoments,
  type ForgettingMoments,
  type Moments,
  mergeMoments,
  momentsOf,
  scaleOf,
} from './moments.ts';
import type { EncodedSamples, Floats, Layout } from './samples.ts';
import { emptyTargets, type TargetSums } from './target-means.ts';
import { emptyVocabulary, type Vocabulary } from './vocabulary.ts';

/**
 * Running mean and sum of squared deviations of each number column, over `count` samples; float64.
 * Where labels are standardised, one more column is theirs.
 */
export type FeatureStatistics = Moments & {
  /** The same of the number columns alone, for each half-life of the layout. */
  readonly forgetting?: readonly ForgettingMoments[];
  /** The least and the greatest label, where experts' predictions are bounded by them. */
  readonly labelRange?: readonly [least: number, greatest: number];
  /** The classes that have places, in order; of layouts in which they get them as they come. */
  readonly classNames?: readonly string[];
  /** How much each class has weighed, [classes]; of layouts that count them. */
  readonly classes?: Float64Array;
  /** What labels the values of each target mean of the layout had. */
  readonly targets?: readonly TargetSums[];
  /** The last values of samples, for each lag of the layout. */
  readonly lags?: readonly LagHistory[];
  /** Which values have rows, for each vocabulary of the layout: what the weights are of. */
  readonly vocabularies?: readonly Vocabulary[];
};

/** How number columns become what a network sees. */
export type Scaling = {
  /** Whether each is standardised, and the half-life by which it forgets; [numberWidth]. */
  readonly columns: readonly {
    readonly isStandardized: boolean;
    readonly halfLife?: number | undefined;
  }[];
  /** Half-lives under which the columns are seen besides: a view each. */
  readonly views: readonly number[];
  /** The largest size that a standardised number may have; any unless given. */
  readonly bound?: number | undefined;
};

/** How many columns a layout's statistics have. */
export function statisticsWidth({ numberWidth, standardizesLabel }: Layout): number {
  return numberWidth + (standardizesLabel ? 1 : 0);
}

/** Statistics of no samples. */
export function emptyStatistics(layout: Layout): FeatureStatistics {
  return completed(emptyMoments(statisticsWidth(layout)), layout);
}

/** Statistics with all that a layout wants: what they lacked is empty. */
export function completed(statistics: FeatureStatistics, layout: Layout): FeatureStatistics {
  const { halfLives = [], targets, lags, vocabularies, numberWidth, countedClasses } = layout;
  const { classes, ...others } = statistics;
  const { forgetting = [] } = others;
  const each = halfLives.map(
    (halfLife) =>
      forgetting.find((moments) => moments.halfLife === halfLife) ?? {
        halfLife,
        ...emptyMoments(numberWidth),
      },
  );
  return {
    ...others,
    ...(each.length > 0 ? { forgetting: each } : {}),
    ...(targets && { targets: statistics.targets ?? targets.map(emptyTargets) }),
    ...(lags && { lags: statistics.lags ?? lags.map(emptyLags) }),
    ...(vocabularies && {
      vocabularies: statistics.vocabularies ?? vocabularies.map(emptyVocabulary),
    }),
    ...(layout.growingClasses && { classNames: namesOfClasses(layout, statistics) }),
    ...(countedClasses === undefined
      ? {}
      : { classes: classes ?? new Float64Array(countedClasses) }),
  };
}

/** The statistics of some samples alone. */
export function statisticsOf(samples: EncodedSamples, layout: Layout): FeatureStatistics {
  const { numberWidth, halfLives = [] } = layout;
  const { count, raw, labels } = samples;
  const valueAt = (row: number, column: number) =>
    (column < numberWidth ? raw[row * numberWidth + column] : labels[row]) ?? 0;
  const moments = momentsOf(count, statisticsWidth(layout), valueAt);
  const classes = countClasses(samples, layout);
  const all = {
    ...moments,
    ...(layout.hasLabelRange ? { labelRange: rangeOf(labels) } : {}),
    ...(classes && { classes }),
  };
  if (halfLives.length === 0) return all;
  const forgetting = halfLives.map((halfLife) => ({
    halfLife,
    ...momentsOf(count, numberWidth, valueAt, halfLife),
  }));
  return { ...all, forgetting };
}

/**
 * The statistics of both sets of samples together, `b` the later ones. What is known of labels and
 * values stays that of `a`; see {@link mergeTargets}, {@link mergeLags}, {@link withValuesOf}.
 */
export function mergeStatistics(a: FeatureStatistics, b: FeatureStatistics): FeatureStatistics {
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
  const labelRange = range && other && { labelRange: rangeOf(Float64Array.of(...range, ...other)) };
  const classes = a.classes?.map((weight, at) => weight + (b.classes?.[at] ?? 0));
  const merged = {
    ...mergeMoments(a, b),
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
      return { halfLife, ...mergeMoments(decayed(earlier, b.count), later) };
    }),
  };
}

/** Statistics whose means and deviations stay, and count as so many samples at most. */
export function forgetful(statistics: FeatureStatistics, most: number): FeatureStatistics {
  const { count, squares, classes, targets } = statistics;
  if (count <= most) return statistics;
  const share = most / count;
  const less = (values: Float64Array) => values.map((value) => value * share);
  return {
    ...statistics,
    count: most,
    squares: less(squares),
    ...(classes && { classes: less(classes) }),
    ...(targets && {
      targets: targets.map(({ sums, counts, total, totalCount }) => ({
        sums: less(sums),
        counts: less(counts),
        total: less(total),
        totalCount: totalCount * share,
      })),
    }),
  };
}

function rangeOf(labels: Floats): readonly [number, number] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const label of labels) {
    least = Math.min(least, label);
    greatest = Math.max(greatest, label);
  }
  return [least, greatest];
}

/** How far beyond the labels so far a prediction may go, in widths of their range. */
const beyondRange = 0.2;

/**
 * The least and the greatest value that an expert may predict, as networks learn labels; undefined
 * where any may be.
 */
export function predictionRange(
  { labelRange }: FeatureStatistics,
  scale: LabelScale | undefined,
): readonly [least: number, greatest: number] | undefined {
  if (labelRange === undefined || scale === undefined || !(scale.deviation > 0)) return undefined;
  const [least, greatest] = labelRange;
  const beyond = beyondRange * (greatest - least);
  const standardized = (label: number) => (label - scale.mean) / scale.deviation;
  return [standardized(least - beyond), standardized(greatest + beyond)];
}

/** What takes number columns to what a network sees: (value − mean) · scale, at most `most`. */
export type ColumnScales = {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** The largest size that a column may have. */
  readonly most: Float64Array;
};

/**
 * What takes number columns to mean 0 and variance 1. A column that is not standardised has the
 * mean 0 and the scale 1. One that forgets has values no further from 0 than n samples can be from
 * their own mean, which is √n (Samuelson 1968): what had not varied lately would have no bound.
 *
 * @param isExact whether the numbers are float64: releases before 0.3, whose models are not exact,
 *   passed on the raw distance from the mean of a column that had not varied
 * @param view the half-life under which all columns are seen; each column's own unless given
 */
export function columnScales(
  statistics: FeatureStatistics,
  { columns, bound = Number.POSITIVE_INFINITY }: Pick<Scaling, 'columns' | 'bound'>,
  isExact: boolean,
  view?: number,
): ColumnScales {
  const scaleOfConstant = isExact ? 0 : Number(statistics.count > 0);
  const momentsFor = (halfLife: number | undefined) =>
    statistics.forgetting?.find((moments) => moments.halfLife === halfLife);
  const forgetting = columns.map(({ halfLife }) => momentsFor(view ?? halfLife));
  const each = (value: (moments: Moments, column: number) => number, otherwise: number) =>
    Float64Array.from(columns, ({ isStandardized }, column) =>
      isStandardized ? value(forgetting[column] ?? statistics, column) : otherwise,
    );
  return {
    mean: each(({ mean }, column) => mean[column] ?? 0, 0),
    scale: each((moments, column) => scaleOf(moments, column, scaleOfConstant), 1),
    most: Float64Array.from(columns, ({ isStandardized }, column) => {
      const moments = forgetting[column];
      if (!isStandardized) return Number.POSITIVE_INFINITY;
      return moments ? Math.min(bound, Math.sqrt(moments.count)) : bound;
    }),
  };
}

/**
 * Samples with their number columns at mean 0 and variance 1. A column that has not varied yet is
 * 0, since nothing is known of its scale.
 */
export function standardize(
  samples: EncodedSamples,
  statistics: FeatureStatistics,
  scaling: Scaling,
): EncodedSamples {
  const { columns, views } = scaling;
  if (!columns.some(({ isStandardized }) => isStandardized)) return samples;
  const isExact = samples.raw instanceof Float64Array;
  const under = (view?: number) =>
    scaled(samples.raw, columnScales(statistics, scaling, isExact, view));
  const numbers = under();
  if (views.length === 0) return { ...samples, numbers, raw: numbers };
  return { ...samples, numbers, raw: numbers, views: views.map(under) };
}

function scaled(raw: Floats, { mean, scale, most }: ColumnScales): Float32Array {
  const width = mean.length;
  const isBounded = most.some(Number.isFinite);
  const numbers = new Float32Array(raw.length);
  for (let position = 0, column = 0; position < raw.length; position++) {
    const value = ((raw[position] ?? 0) - (mean[column] ?? 0)) * (scale[column] ?? 1);
    const bound = isBounded ? (most[column] ?? 0) : 0;
    numbers[position] = isBounded ? Math.min(Math.max(value, -bound), bound) : value;
    column = column + 1 === width ? 0 : column + 1;
  }
  return numbers;
}

/** The mean and the deviation of labels; a deviation of 0 while they have not varied. */
export type LabelScale = {
  readonly mean: number;
  readonly deviation: number;
  /** Whether what is predicted in the labels' own unit is float64. */
  readonly isExact: boolean;
};

/** The scale of the labels; undefined where they are not standardised. */
export function labelScaleOf(
  { count, mean, squares }: FeatureStatistics,
  { numberWidth, standardizesLabel, hasExactLabels = false }: Layout,
): LabelScale | undefined {
  if (!standardizesLabel) return undefined;
  const variance = (squares[numberWidth] ?? 0) / Math.max(count, 1);
  const deviation = Math.sqrt(variance);
  return { mean: mean[numberWidth] ?? 0, deviation, isExact: hasExactLabels };
}

/** Labels at mean 0 and variance 1, as an engine learns them; 0 while they have not varied. */
export function standardizeLabels(labels: Floats, scale: LabelScale | undefined): Float32Array {
  if (scale === undefined) return Float32Array.from(labels);
  const { mean, deviation } = scale;
  return Float32Array.from(labels, (label) => (deviation > 0 ? (label - mean) / deviation : 0));
}

/** What a network that learnt {@link standardizeLabels} predicts, in the labels' own unit. */
export function inOwnUnit(values: Float32Array, scale: LabelScale | undefined): Floats {
  if (scale === undefined) return values;
  const { mean, deviation, isExact } = scale;
  const own = isExact ? Float64Array.from(values) : values;
  return own.map((value) => value * deviation + mean);
}
