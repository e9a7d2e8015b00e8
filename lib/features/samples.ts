import { limits } from '../limits.ts';
import { gatherRows } from './gather-rows.ts';
import type { SpreadColumn } from './spread.ts';

/** Floating-point numbers; float64 where rounding would lose what tells them apart. */
export type Floats = Float32Array | Float64Array;

/**
 * Samples as numbers, row by row. Numbers are raw: standardising them is the last step before
 * training (lib/features/statistics.ts), because the statistics belong to the state.
 */
export type EncodedSamples = {
  readonly count: number;
  /**
   * Number and vector features, [count, numberWidth], in the order of the spec. Where a layout is
   * exact it is empty until they are standardised.
   */
  readonly numbers: Float32Array;
  /** Whether columns that wait for what was learnt before have their values. */
  readonly isDerived?: true;
  /** The numbers once they are standardised, under each further half-life of a spec. */
  readonly views?: readonly Float32Array[];
  /**
   * The numbers as they came: the same array, or float64 where a layout is exact. Seconds since
   * 1970 would lose what tells them apart if they were rounded first.
   */
  readonly raw: Floats;
  /**
   * Category features as indices, [count, categoryCount], in the order of the spec; those of a
   * vocabulary are hashes until an engine takes them.
   */
  readonly categories: Int32Array;
  /**
   * [count]: the value, 0 or 1, or the index of the class; see `hashOfClass` where that is not known
   * yet. [count, labelWidth] where a label has several numbers. As they came; float64 where a
   * layout has exact labels.
   */
  readonly labels: Floats;
  /** [count]: the weight of each sample in the loss. */
  readonly weights: Float32Array;
  /** The same without what its class and its lateness weigh, where they are in there; see `weighed`. */
  readonly importance?: Float32Array;
  /** [count]: how many times as much each weighs since it came late; 1 unless given. */
  readonly lateWeights?: Float32Array;
  /** Classes by the hashes that stand for them in `labels`, where they get places as they come. */
  readonly names?: ReadonlyMap<number, string>;
};

/** How the mean label of each value is kept: a row for each bucket of values. */
export type TargetTable = {
  readonly rows: number;
  /** Means of each row: one, or a share for each class. */
  readonly outputs: number;
  readonly smoothing: number;
  readonly halfLife?: number | undefined;
};

/** Where the mean labels of values stand. */
export type TargetColumns = TargetTable & {
  readonly numberOffset: number;
  readonly categoryOffset: number;
};

/** How the last values of samples are kept: a row for each bucket of what they share. */
export type LagTable = { readonly rows: number; readonly depth: number };

/** Where values stand that earlier samples had. */
export type LagColumns = LagTable & {
  readonly steps: readonly number[];
  /** Numbers for each step: one, or one for each class. */
  readonly outputs: number;
  readonly numberOffset: number;
  /** The column of indices that names the row; there is one row unless given. */
  readonly categoryOffset?: number;
  /** The column of numbers whose values they are; those of labels unless given. */
  readonly source?: number;
};

/** How many values of a category get a row of its table, and when. */
export type VocabularyTable = {
  /** Rows beside the one that stands for all other values. */
  readonly size: number;
  /** How often a value is seen before it gets one. */
  readonly admitAfter: number;
  /** After how many samples without its value a row may be given to another; never unless given. */
  readonly expireAfter?: number | undefined;
};

/** Where values stand that have a row while they are known; as hashes until then. */
export type VocabularyColumns = VocabularyTable & {
  /** The feature. */
  readonly name: string;
  readonly categoryOffset: number;
};

/** Where classes get places as they come. */
export type GrowingClasses = {
  /** Those that have the first places from the beginning, as cells have them. */
  readonly declared: readonly string[];
  readonly most: number;
};

/** Rows that may be written. */
export type OwnRows = { readonly samples: EncodedSamples; readonly layout: Layout };

/** Widths of the rows of {@link EncodedSamples}. */
export type Layout = {
  readonly numberWidth: number;
  readonly categoryCount: number;
  /** Whether numbers stay float64 until they are standardised. */
  readonly isExact?: boolean;
  /** Whether labels whose deviation is of rounding have not varied. */
  readonly ignoresRounding?: boolean;
  /** Columns of numbers of which one out of all proportion is refused; of none unless given. */
  readonly judged?: readonly { readonly name: string; readonly column: number }[];
  /** Half-lives of the statistics that forget; none unless given. */
  readonly halfLives?: readonly number[];
  /** Columns of numbers that are scaled by their spread. */
  readonly spreads?: readonly SpreadColumn[];
  /** Columns of numbers that are mean labels of what a column of indices says. */
  readonly targets?: readonly TargetColumns[];
  /** Columns of numbers that earlier samples had. */
  readonly lags?: readonly LagColumns[];
  /** Columns of values whose rows the state knows. */
  readonly vocabularies?: readonly VocabularyColumns[];
  /** Columns of numbers in which NaN stands for a value that is not known. */
  readonly nullable?: readonly number[];
  /**
   * Columns in which it stands for the mean so far, which is counted as a value; of specs before
   * revision 11.
   */
  readonly filled?: readonly number[];
  /** Where classes get places as they come; all are declared unless given. */
  readonly growingClasses?: GrowingClasses;
  /** Of how many classes it is counted how often they came; of none unless given. */
  readonly countedClasses?: number;
  /** How many numbers a label has; one unless given. */
  readonly labelWidth?: number;
  /** Whether labels are standardised too: the last columns of the statistics are theirs. */
  readonly standardizesLabel?: boolean;
  /** Whether the range of the labels is kept. */
  readonly hasLabelRange?: boolean;
  /** Whether labels stay float64 until they are standardised. */
  readonly hasExactLabels?: boolean;
};

/** How many numbers the label of each sample has. */
export function labelsOfRow({ labels, count }: Pick<EncodedSamples, 'labels' | 'count'>): number {
  return labels.length / Math.max(count, 1);
}

/** How many rows of a layout may be held at once: `rows`, or fewer where they are wide. */
export function rowsWithin(
  rows: number,
  layout: Layout,
  bytes: number = limits.shardBytes,
): number {
  const { numberWidth, isExact, categoryCount, labelWidth = 1 } = layout;
  const bytesOfRow = numberWidth * (isExact ? 8 : 4) + categoryCount * 4 + 8 + (labelWidth - 1) * 8;
  return Math.max(1, Math.min(rows, Math.floor(bytes / bytesOfRow)));
}

/** Empty arrays for `count` samples. */
export function allocateSamples(count: number, layout: Layout): EncodedSamples {
  const length = count * layout.numberWidth;
  const labels = count * (layout.labelWidth ?? 1);
  return {
    count,
    ...(layout.isExact ? exactNumbers(new Float64Array(length)) : float32Numbers(length)),
    categories: new Int32Array(count * layout.categoryCount),
    labels: layout.hasExactLabels ? new Float64Array(labels) : new Float32Array(labels),
    weights: new Float32Array(count),
  };
}

/** Numbers that are not standardised yet. */
export function exactNumbers(raw: Float64Array): Pick<EncodedSamples, 'numbers' | 'raw'> {
  return { numbers: new Float32Array(0), raw };
}

function float32Numbers(length: number): Pick<EncodedSamples, 'numbers' | 'raw'> {
  const numbers = new Float32Array(length);
  return { numbers, raw: numbers };
}

/** The samples at `rows`, in that order, copied. */
export function gatherSamples(
  samples: EncodedSamples,
  rows: ArrayLike<number>,
  layout: Layout,
): EncodedSamples {
  const gathered = allocateSamples(rows.length, layout);
  eachColumn([samples, gathered], layout, (from, into, width) =>
    gatherRows(from, into, rows, width),
  );
  const { importance, lateWeights, names } = samples;
  const ofRows = (values: Float32Array) => Float32Array.from(rows, (row) => values[row] ?? 0);
  return {
    ...gathered,
    ...(samples.isDerived ? { isDerived: true } : {}),
    ...(importance && { importance: ofRows(importance) }),
    ...(lateWeights && { lateWeights: ofRows(lateWeights) }),
    ...(names && { names }),
  };
}

/** Writes samples over others of their layout, each at a place. */
export function writeSamples(
  from: EncodedSamples,
  into: EncodedSamples,
  places: ArrayLike<number>,
  layout: Layout,
): void {
  eachColumn([from, into], layout, (values, all, width) => {
    for (let row = 0; row < from.count; row++)
      for (let at = 0; at < width; at++)
        all[(places[row] ?? 0) * width + at] = values[row * width + at] ?? 0;
  });
}

/** Calls with the arrays of two of one layout, and how many of their elements are a row. */
function eachColumn(
  [a, b]: readonly [EncodedSamples, EncodedSamples],
  { numberWidth, categoryCount, labelWidth = 1 }: Layout,
  call: (a: Floats | Int32Array, b: Floats | Int32Array, width: number) => void,
): void {
  call(a.raw, b.raw, numberWidth);
  call(a.categories, b.categories, categoryCount);
  call(a.labels, b.labels, labelWidth);
  call(a.weights, b.weights, 1);
}

/** The samples from `start` up to `end`, as views of the same memory. */
export function sliceSamples(
  samples: EncodedSamples,
  start: number,
  end: number,
  layout: Layout,
): EncodedSamples {
  const stop = Math.min(end, samples.count);
  const { labelWidth = 1, categoryCount } = layout;
  const part = [start * layout.numberWidth, stop * layout.numberWidth] as const;
  return {
    ...(samples.isDerived ? { isDerived: true } : {}),
    count: stop - start,
    numbers: samples.numbers.subarray(...part),
    raw: samples.raw.subarray(...part),
    categories: samples.categories.subarray(start * categoryCount, stop * categoryCount),
    labels: samples.labels.subarray(start * labelWidth, stop * labelWidth),
    weights: samples.weights.subarray(start, stop),
    ...(samples.importance && { importance: samples.importance.subarray(start, stop) }),
    ...(samples.lateWeights && { lateWeights: samples.lateWeights.subarray(start, stop) }),
    ...(samples.names && { names: samples.names }),
  };
}

/** All samples of several parts, in order, copied. */
export function concatSamples(parts: readonly EncodedSamples[], layout: Layout): EncodedSamples {
  const joined = allocateSamples(
    parts.reduce((sum, part) => sum + part.count, 0),
    layout,
  );
  const isLate = parts.some((part) => part.lateWeights !== undefined);
  const lateWeights = isLate ? new Float32Array(joined.count).fill(1) : undefined;
  let row = 0;
  for (const part of parts) {
    joined.raw.set(part.raw, row * layout.numberWidth);
    joined.categories.set(part.categories, row * layout.categoryCount);
    joined.labels.set(part.labels, row * (layout.labelWidth ?? 1));
    joined.weights.set(part.weights, row);
    if (part.lateWeights) lateWeights?.set(part.lateWeights, row);
    row += part.count;
  }
  const named = parts.flatMap(({ names }) => names ?? []);
  return {
    ...joined,
    ...(lateWeights && { lateWeights }),
    ...(named.length > 0 && { names: new Map(named.flatMap((names) => [...names])) }),
  };
}
