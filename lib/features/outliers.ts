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
  { layout }: Pick<Encoder, 'layout'>,
  encoding: Encoding,
  seen?: FeatureStatistics,
): Encoding {
  const { samples } = encoding;
  const scale = seen && seen.count >= enoughSamples ? labelScaleOf(seen, layout) : undefined;
  const before = scale === undefined ? 0 : Math.abs(scale.mean) + scale.deviation;
  const usual = Math.max(usualSize(samples.labels), before);
  if (usual === 0) return encoding;
  const bound = usual * limits.outlierFactor;
  return refusing(layout, encoding, (label) => {
    if (Math.abs(label) <= bound) return undefined;
    const reason = `${label} is more than ${limits.outlierFactor} times as large as other labels`;
    return { field: 'label', code: 'outlier', reason };
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
