import { columnOf } from '../arithmetic.ts';
import { limits } from '../limits.ts';
import type { Encoder, Encoding } from './encoder.ts';
import { refusing } from './refusing.ts';
import type { Floats } from './samples.ts';
import { labelScaleOf } from './scaling.ts';
import type { FeatureStatistics } from './statistics.ts';

/** Samples of which a mean and a deviation say something. */
const enoughSamples = 10;

/**
 * Refuses numeric labels that are out of all proportion to those around them and before them: one
 * of them would be all that a model learns, and all that its statistics remember.
 *
 * @param seen statistics of the samples before, where there are some
 */
export function withoutOutliers(
  { layout, labelField }: Pick<Encoder, 'layout' | 'labelField'>,
  encoding: Encoding,
  seen?: FeatureStatistics,
): Encoding {
  const { samples } = encoding;
  const { labelWidth = 1 } = layout;
  const scale = seen && seen.count >= enoughSamples ? labelScaleOf(seen, layout) : undefined;
  const bounds = Array.from({ length: labelWidth }, (_, output) => {
    const { mean = 0, deviation = 0 } = scale?.outputs[output] ?? {};
    const labels = columnOf(samples.labels, labelWidth, output);
    const usual = Math.max(usualSize(labels), Math.abs(mean) + deviation);
    return usual === 0 ? Number.POSITIVE_INFINITY : usual * limits.outlierFactor;
  });
  return refusing(layout, encoding, (row) => {
    const label = samples.labels.subarray(row * labelWidth, (row + 1) * labelWidth);
    const output = label.findIndex((each, at) => Math.abs(each) > (bounds[at] ?? 0));
    if (output < 0) return undefined;
    const times = limits.outlierFactor;
    const reason = `${label[output]} is more than ${times} times as large as other labels`;
    return { field: labelField(output), code: 'outlier', reason };
  });
}

function nineTenths(sizes: Floats): number {
  return sizes[Math.floor(0.9 * (sizes.length - 1))] ?? 0;
}

/** What nine tenths of the labels do not exceed; 0 where there are too few to tell. */
function usualSize(labels: Floats): number {
  if (labels.length < enoughSamples) return 0;
  const sizes = labels.map(Math.abs).sort();
  const usual = nineTenths(sizes);
  // Where most labels are 0, the others say what is usual.
  return usual > 0 ? usual : nineTenths(sizes.filter((size) => size > 0));
}
