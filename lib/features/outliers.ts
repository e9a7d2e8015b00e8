import { columnOf } from '../arithmetic.ts';
import { limits } from '../limits.ts';
import type { Encoder, Encoding } from './encoder.ts';
import { countOf, varianceOf } from './moments.ts';
import { refusing } from './refusing.ts';
import type { Floats, Layout } from './samples.ts';
import { labelScaleOf } from './scaling.ts';
import type { FeatureStatistics } from './statistics.ts';

/** Samples of which a mean and a deviation say something. */
const enoughSamples = 10;

/** What is judged, and by what: the statistics of the samples before, where there are some. */
type Judged = {
  readonly encodings: readonly Encoding[];
  readonly seen: FeatureStatistics | undefined;
};

/**
 * Refuses samples with a numeric label, or a number that is standardised, out of all proportion to
 * those around them and before them: one of them would be all that a model learns, and all that its
 * statistics remember. (A number that is clipped, or whose logarithm is taken, is never one.)
 *
 * @param encodings which are judged together
 * @param seen statistics of the samples before, where there are some
 */
export function withoutOutliers(
  { layout, labelField }: Pick<Encoder, 'layout' | 'labelField'>,
  encodings: readonly Encoding[],
  seen?: FeatureStatistics,
): readonly Encoding[] {
  const before = seen && seen.count >= enoughSamples ? seen : undefined;
  const others = layout.standardizesLabel
    ? withoutOddLabels({ layout, labelField }, { encodings, seen: before })
    : encodings;
  return layout.judged === undefined
    ? others
    : withoutOddNumbers(layout, layout.judged, { encodings: others, seen: before });
}

function withoutOddLabels(
  { layout, labelField }: Pick<Encoder, 'layout' | 'labelField'>,
  { encodings, seen }: Judged,
): readonly Encoding[] {
  const all = joined(encodings.map(({ samples }) => samples.labels));
  const { labelWidth = 1 } = layout;
  const scale = seen && labelScaleOf(seen, layout);
  const bounds = Array.from({ length: labelWidth }, (_, output) => {
    const { mean = 0, deviation = 0 } = scale?.outputs[output] ?? {};
    const usual = Math.abs(mean) + deviation;
    // Most often nothing is odd, and nothing need be sorted.
    const largest = largestOf(all, labelWidth, output);
    const isUsual = usual > 0 && largest <= boundOf(usual);
    if (isUsual || hasPeers(all, labelWidth, output, largest)) return Number.POSITIVE_INFINITY;
    const labels = columnOf(all, labelWidth, output);
    return boundOf(Math.max(usualSize(labels), usual));
  });
  if (!bounds.some(Number.isFinite)) return encodings;
  return encodings.map((encoding) =>
    refusing(layout, encoding, (row) => {
      const { labels } = encoding.samples;
      const label = labels.subarray(row * labelWidth, (row + 1) * labelWidth);
      const output = label.findIndex((each, at) => Math.abs(each) > (bounds[at] ?? 0));
      if (output < 0) return undefined;
      const reason = `${label[output]} is more than ${times} times as large as other labels`;
      return { field: labelField(output), code: 'outlier', reason };
    }),
  );
}

function withoutOddNumbers(
  layout: Layout,
  judged: NonNullable<Layout['judged']>,
  { encodings, seen }: Judged,
): readonly Encoding[] {
  const all = joined(encodings.map(({ samples }) => samples.raw));
  const { numberWidth } = layout;
  const odd = judged.flatMap(({ name, column }) => {
    const isKnown = seen !== undefined && countOf(seen, column) >= enoughSamples;
    const usual = isKnown
      ? Math.abs(seen.mean[column] ?? 0) + Math.sqrt(varianceOf(seen, column))
      : 0;
    const largest = largestOf(all, numberWidth, column);
    if (largest <= Math.max(usual * times, least)) return [];
    if (hasPeers(all, numberWidth, column, largest)) return [];
    const values = columnOf(all, numberWidth, column).filter((value) => !Number.isNaN(value));
    const bound = boundOf(Math.max(usual, usualSize(values)));
    return [{ name, column, bound: Math.max(bound, least) }];
  });
  if (odd.length === 0) return encodings;
  return encodings.map((encoding) =>
    refusing(layout, encoding, (row) => {
      const { raw } = encoding.samples;
      const sizeOf = (column: number) => Math.abs(raw[row * numberWidth + column] ?? 0);
      const found = odd.find(({ column, bound }) => sizeOf(column) > bound);
      if (found === undefined) return undefined;
      const value = raw[row * numberWidth + found.column];
      const reason =
        `${value} is more than ${times} times as large as other values; where such values are ` +
        'right, declare `clip` or `log`';
      return { field: `features.${found.name}`, code: 'outlier', reason };
    }),
  );
}

/** The numbers of several, one after another. */
function joined(parts: readonly Floats[]): Floats {
  const [only = new Float64Array(0), ...others] = parts;
  if (others.length === 0) return only;
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const { outlierFactor: times, outlierNumber: least } = limits;

/** What is larger is an outlier, where a size is usual. */
function boundOf(usual: number): number {
  return usual === 0 ? Number.POSITIVE_INFINITY : usual * times;
}

/** The largest size in a column. */
function largestOf(values: Floats, width: number, column: number): number {
  let largest = 0;
  for (let at = column; at < values.length; at += width)
    largest = Math.max(largest, Math.abs(values[at] ?? 0) || 0);
  return largest;
}

/**
 * Whether the largest size in a column is within bounds by {@link usualSize}, told without sorting:
 * as many come near to it as are beyond nine tenths.
 */
function hasPeers(values: Floats, width: number, column: number, largest: number): boolean {
  let [count, near] = [0, 0];
  for (let at = column; at < values.length; at += width) {
    const size = Math.abs(values[at] ?? 0);
    if (Number.isNaN(size)) continue;
    count += 1;
    if (size * times >= largest) near += 1;
  }
  return count >= enoughSamples && near >= count - placeOfNineTenths(count);
}

/** Where of so many sizes, in their order, the one is that nine tenths do not exceed. */
function placeOfNineTenths(count: number): number {
  return Math.floor(0.9 * (count - 1));
}

function nineTenths(sizes: Floats): number {
  return sizes[placeOfNineTenths(sizes.length)] ?? 0;
}

/** What nine tenths of the labels do not exceed; 0 where there are too few to tell. */
function usualSize(labels: Floats): number {
  if (labels.length < enoughSamples) return 0;
  const sizes = labels.map(Math.abs).sort();
  const usual = nineTenths(sizes);
  // Where most labels are 0, the others say what is usual.
  return usual > 0 ? usual : nineTenths(sizes.filter((size) => size > 0));
}
