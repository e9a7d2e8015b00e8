import type { EncodedSamples, Floats, Layout } from './samples.ts';

/**
 * Running mean and sum of squared deviations of each number column, over `count` samples; float64.
 * Where labels are standardised, one more column is theirs.
 */
export type FeatureStatistics = {
  readonly count: number;
  /** [statisticsWidth] */
  readonly mean: Float64Array;
  /** [statisticsWidth]: Σ (x − mean)² */
  readonly squares: Float64Array;
};

/** How many columns a layout's statistics have. */
export function statisticsWidth({ numberWidth, standardizesLabel }: Layout): number {
  return numberWidth + (standardizesLabel ? 1 : 0);
}

/** Statistics of no samples. */
export function emptyStatistics(layout: Layout): FeatureStatistics {
  const width = statisticsWidth(layout);
  return { count: 0, mean: new Float64Array(width), squares: new Float64Array(width) };
}

/** The statistics of some samples alone. */
export function statisticsOf(samples: EncodedSamples, layout: Layout): FeatureStatistics {
  const { numberWidth } = layout;
  const width = statisticsWidth(layout);
  const mean = new Float64Array(width);
  const squares = new Float64Array(width);
  for (let row = 0; row < samples.count; row++) {
    for (let column = 0; column < width; column++) {
      const isNumber = column < numberWidth;
      const value = (isNumber ? samples.raw[row * numberWidth + column] : samples.labels[row]) ?? 0;
      const deviation = value - (mean[column] ?? 0);
      mean[column] = (mean[column] ?? 0) + deviation / (row + 1);
      squares[column] = (squares[column] ?? 0) + deviation * (value - (mean[column] ?? 0));
    }
  }
  return { count: samples.count, mean, squares };
}

/** The statistics of both sets of samples together (Chan, Golub, LeVeque 1979). */
export function mergeStatistics(a: FeatureStatistics, b: FeatureStatistics): FeatureStatistics {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = a.mean.map((mean, column) => (b.mean[column] ?? 0) - mean);
  return {
    count,
    mean: a.mean.map((mean, column) => mean + ((delta[column] ?? 0) * b.count) / count),
    squares: a.squares.map(
      (squares, column) =>
        squares +
        (b.squares[column] ?? 0) +
        ((delta[column] ?? 0) ** 2 * a.count * b.count) / count,
    ),
  };
}

/**
 * What takes number columns to mean 0 and variance 1: (value − mean) · scale. A column that is not
 * standardised has the mean 0 and the scale 1.
 *
 * @param isExact whether the numbers are float64: releases before 0.3, whose models are not exact,
 *   passed on the raw distance from the mean of a column that had not varied
 */
export function columnScales(
  statistics: FeatureStatistics,
  columns: readonly boolean[],
  isExact: boolean,
): { readonly mean: Float64Array; readonly scale: Float64Array } {
  const scaleOfConstant = isExact ? 0 : Number(statistics.count > 0);
  return {
    mean: Float64Array.from(columns, (isStandardized, column) =>
      isStandardized ? (statistics.mean[column] ?? 0) : 0,
    ),
    scale: Float64Array.from(columns, (isStandardized, column) => {
      if (!isStandardized) return 1;
      const variance = (statistics.squares[column] ?? 0) / Math.max(statistics.count, 1);
      return variance > 0 ? 1 / Math.sqrt(variance) : scaleOfConstant;
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
  columns: readonly boolean[],
): EncodedSamples {
  if (!columns.includes(true)) return samples;
  const width = columns.length;
  const { mean, scale } = columnScales(statistics, columns, samples.raw instanceof Float64Array);
  const { raw } = samples;
  const numbers = new Float32Array(raw.length);
  for (let position = 0, column = 0; position < raw.length; position++) {
    numbers[position] = ((raw[position] ?? 0) - (mean[column] ?? 0)) * (scale[column] ?? 1);
    column = column + 1 === width ? 0 : column + 1;
  }
  return { ...samples, numbers, raw: numbers };
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
