import { countOf, deviationOf, type Moments, scaleOf, varianceOf } from './moments.ts';
import type { EncodedSamples, Floats, Layout } from './samples.ts';
import { emptySpread, type SpreadKind, scaleOfSpread } from './spread.ts';
import type { FeatureStatistics } from './statistics.ts';

/** How number columns become what a network sees. */
export type Scaling = {
  /** Whether each is standardised, and the half-life by which it forgets; [numberWidth]. */
  readonly columns: readonly {
    readonly isStandardized: boolean;
    readonly halfLife?: number | undefined;
    /** How, if not by mean and variance; the same under each half-life. */
    readonly by?: SpreadKind | undefined;
    /** Whether NaN stands for a value that is not known. */
    readonly isNullable?: boolean;
    /**
     * Deviations of rounding count as none: the size of its numbers, where their mean may be less.
     * Any deviation counts unless given (of specs before revision 16).
     */
    readonly size?: number;
  }[];
  /** Half-lives under which the columns are seen besides: a view each. */
  readonly views: readonly number[];
  /** The largest size that a standardised number may have; any unless given. */
  readonly bound?: number | undefined;
  /** The same of one that is scaled by its spread. */
  readonly spreadBound?: number | undefined;
  /**
   * Where rates are by the norm of samples: the squared norm of what they look up in tables, a 1
   * for each.
   */
  readonly normOfTables?: number;
  /** Whether the numbers are float64 until they are scaled. */
  readonly isExact?: boolean;
};

/** How far beyond the labels so far a prediction may go, in widths of their range. */
const beyondRange = 0.2;

/** The least and the greatest value that may be predicted. */
export type Range = readonly [least: number, greatest: number];

/**
 * The least and the greatest value that an expert may predict of each output, as networks learn
 * labels; undefined where any may be.
 */
export function predictionRanges(
  { labelRange }: FeatureStatistics,
  scale: LabelScale | undefined,
): readonly (Range | undefined)[] {
  if (labelRange === undefined || scale === undefined) return [];
  return scale.outputs.map(({ mean, deviation }, output) => {
    if (!(deviation > 0)) return undefined;
    const [least = 0, greatest = 0] = labelRange.slice(2 * output);
    const beyond = beyondRange * (greatest - least);
    const standardized = (label: number) => (label - mean) / deviation;
    return [standardized(least - beyond), standardized(greatest + beyond)];
  });
}

/**
 * What takes number columns to what a network sees: (value − mean) · scale, at most `most`; each
 * [columns].
 */
export type ColumnScales = {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** The largest size that a column may have. */
  readonly most: Float64Array;
  /**
   * The value that stands for one that is not known: the mean of those that are; of a column that
   * is scaled by its quartiles the median.
   */
  readonly standIn: Float64Array;
};

/**
 * What takes number columns to mean 0 and variance 1, or to what their spread says. A column that
 * is not standardised has the mean 0 and the scale 1. One that forgets has values no further from 0
 * than n samples can be from their own mean, which is √n (Samuelson 1968): what had not varied
 * lately would have no bound.
 *
 * @param isExact whether the numbers are float64: releases before 0.3, whose models are not exact,
 *   passed on the raw distance from the mean of a column that had not varied
 * @param view the half-life under which all columns are seen; each column's own unless given
 */
export function columnScales(
  statistics: FeatureStatistics,
  {
    columns,
    bound = Number.POSITIVE_INFINITY,
    spreadBound = Number.POSITIVE_INFINITY,
  }: Pick<Scaling, 'columns' | 'bound' | 'spreadBound'>,
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
  const spreads = spreadScales(statistics, columns);
  const mean = each((moments, column) => spreads.get(column)?.mean ?? moments.mean[column] ?? 0, 0);
  return {
    mean,
    standIn: columns.some(({ isNullable }) => isNullable)
      ? Float64Array.from(columns, ({ isStandardized, by }, column) =>
          isStandardized && (by === undefined || by === 'robust')
            ? (mean[column] ?? 0)
            : (statistics.mean[column] ?? 0),
        )
      : mean,
    scale: each((moments, column) => {
      const own = spreads.get(column)?.scale ?? scaleOf(moments, column, scaleOfConstant);
      const { size } = columns[column] ?? {};
      return size === undefined || deviationOf(moments, column, size) > 0 ? own : 0;
    }, 1),
    most: Float64Array.from(columns, ({ isStandardized }, column) => {
      if (!isStandardized) return Number.POSITIVE_INFINITY;
      if (spreads.has(column)) return spreadBound;
      const moments = forgetting[column];
      return moments ? Math.min(bound, Math.sqrt(countOf(moments, column))) : bound;
    }),
  };
}

/** {@link columnScales} of columns that do not forget; others stand as if nothing changed. */
export function steadyScales(statistics: FeatureStatistics, scaling: Scaling): ColumnScales {
  const columns = scaling.columns.map((column) =>
    column.halfLife === undefined ? column : { ...column, isStandardized: false },
  );
  return columnScales(statistics, { ...scaling, columns }, scaling.isExact ?? false);
}

/** By what a column of numbers is known: its own moments where it forgets, else those of all. */
export function momentsOfColumn(
  statistics: FeatureStatistics,
  { halfLife, by }: Scaling['columns'][number],
): Moments {
  const own = statistics.forgetting?.find((moments) => moments.halfLife === halfLife);
  return by === undefined && own !== undefined ? own : statistics;
}

/** The scales of columns that are scaled by their spread. */
function spreadScales(
  { spreads = [] }: FeatureStatistics,
  columns: Scaling['columns'],
): ReadonlyMap<number, ReturnType<typeof scaleOfSpread>> {
  const scaled = columns.flatMap(({ by }, column) => (by === undefined ? [] : [{ by, column }]));
  return new Map(
    scaled.map((each, i) => [each.column, scaleOfSpread(each, spreads[i] ?? emptySpread(each))]),
  );
}

/**
 * Samples with their number columns at mean 0 and variance 1. A column that has not varied yet is
 * 0, since nothing is known of its scale; and so is a value that is not known, under any half-life.
 */
export function standardize(
  samples: EncodedSamples,
  statistics: FeatureStatistics,
  scaling: Scaling,
): EncodedSamples {
  const { columns, views } = scaling;
  if (!columns.some(({ isStandardized, isNullable }) => isStandardized || isNullable))
    return samples;
  const isExact = samples.raw instanceof Float64Array;
  const under = (view?: number) =>
    scaled(samples.raw, columnScales(statistics, scaling, isExact, view));
  const numbers = under();
  if (views.length === 0) return { ...samples, numbers, raw: numbers };
  return { ...samples, numbers, raw: numbers, views: views.map(under) };
}

function scaled(raw: Floats, { mean, scale, most, standIn }: ColumnScales): Float32Array {
  const width = mean.length;
  const numbers = new Float32Array(raw.length);
  // (All numbers of a dataset pass here in each epoch: a loop over rows.)
  for (let first = 0; first < raw.length; first += width) {
    for (let column = 0; column < width; column++) {
      let own = raw[first + column] ?? 0;
      if (Number.isNaN(own)) own = standIn[column] ?? 0;
      const value = (own - (mean[column] ?? 0)) * (scale[column] ?? 1);
      const bound = most[column] ?? 0;
      if (value > bound) numbers[first + column] = bound;
      else if (value < -bound) numbers[first + column] = -bound;
      else numbers[first + column] = value;
    }
  }
  return numbers;
}

/** How labels are standardised. */
export type LabelScale = {
  /** Of each output the mean, and the deviation, which is 0 while its labels have not varied. */
  readonly outputs: readonly { readonly mean: number; readonly deviation: number }[];
  /** Whether what is predicted in the labels' own unit is float64. */
  readonly isExact: boolean;
};

/** The scale of the labels; undefined where they are not standardised. */
export function labelScaleOf(
  statistics: FeatureStatistics,
  { numberWidth, labelWidth = 1, standardizesLabel, hasExactLabels = false, ...layout }: Layout,
): LabelScale | undefined {
  if (!standardizesLabel) return undefined;
  const outputs = Array.from({ length: labelWidth }, (_, output) => {
    const column = numberWidth + output;
    const deviation = layout.ignoresRounding
      ? deviationOf(statistics, column)
      : Math.sqrt(varianceOf(statistics, column));
    return { mean: statistics.mean[column] ?? 0, deviation };
  });
  return { outputs, isExact: hasExactLabels };
}

/**
 * What a distance of 1 is in the labels' own unit. Several outputs have units of their own: they
 * count alike, and a distance is one of deviations.
 */
export function unitOf(scale: LabelScale | undefined): number {
  const [only, ...others] = scale?.outputs ?? [];
  return only === undefined || others.length > 0 ? 1 : only.deviation;
}

/** Whether labels have varied, of one output at least; they have where it is not known. */
export function haveVaried(scale: LabelScale | undefined): boolean {
  return scale === undefined || scale.outputs.some(({ deviation }) => deviation > 0);
}

/** Labels at mean 0 and variance 1, as an engine learns them; 0 while they have not varied. */
export function standardizeLabels(labels: Floats, scale: LabelScale | undefined): Float32Array {
  if (scale === undefined) return Float32Array.from(labels);
  const { outputs } = scale;
  return Float32Array.from(labels, (label, i) => {
    const { mean = 0, deviation = 0 } = outputs[i % outputs.length] ?? {};
    return deviation > 0 ? (label - mean) / deviation : 0;
  });
}

/** What a network that learnt {@link standardizeLabels} predicts, in the labels' own unit. */
export function inOwnUnit(values: Float32Array, scale: LabelScale | undefined): Floats {
  if (scale === undefined) return values;
  const { outputs, isExact } = scale;
  const own = isExact ? Float64Array.from(values) : values;
  return own.map((value, i) => {
    const { mean = 0, deviation = 0 } = outputs[i % outputs.length] ?? {};
    return value * deviation + mean;
  });
}
