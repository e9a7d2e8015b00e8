import type { Encoder, Encoding, Refusal } from '../features/encoder.ts';
import { gatherSamples } from '../features/samples.ts';
import { limits } from '../limits.ts';
import type { Spec } from '../spec/spec.ts';

/**
 * Refuses the labels of a regression that are out of all proportion to the others of their chunk.
 * (A message is tried in halves instead, when it diverges; a dataset is far too long for that.)
 */
export function withoutOutliers(
  { task }: Pick<Spec, 'task'>,
  { layout }: Encoder,
  encoding: Encoding,
): Encoding {
  const { samples, accepted } = encoding;
  const bound = task === 'regression' ? outlierBound(samples.labels) : Number.POSITIVE_INFINITY;
  const kept: number[] = [];
  const refused: Refusal[] = [];
  samples.labels.forEach((label, row) => {
    if (Math.abs(label) <= bound) {
      kept.push(row);
      return;
    }
    const reason =
      `${label} is more than ${limits.outlierFactor} times as large as nine tenths of the labels ` +
      'around it';
    refused.push({ index: accepted[row] ?? -1, field: 'label', code: 'outlier', reason });
  });
  if (refused.length === 0) return encoding;
  return {
    ...encoding,
    samples: gatherSamples(samples, kept, layout),
    accepted: Int32Array.from(kept, (row) => accepted[row] ?? -1),
    refused: [...encoding.refused, ...refused].sort((a, b) => a.index - b.index),
  };
}

function outlierBound(labels: Float32Array): number {
  const sizes = labels.map(Math.abs).sort();
  const usual = sizes[Math.floor(0.9 * (sizes.length - 1))] ?? 0;
  return usual > 0 ? usual * limits.outlierFactor : Number.POSITIVE_INFINITY;
}
