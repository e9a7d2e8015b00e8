import type { Encoding, Refusal } from './encoder.ts';
import { gatherSamples, type Layout } from './samples.ts';

/** An encoding of which more is refused: rows for which there is a reason. */
export function refusing(
  layout: Layout,
  encoding: Encoding,
  reasonFor: (row: number) => Omit<Refusal, 'index'> | undefined,
): Encoding {
  const { samples, accepted } = encoding;
  const kept: number[] = [];
  const refused: Refusal[] = [];
  for (let row = 0; row < samples.count; row++) {
    const reason = reasonFor(row);
    if (reason === undefined) kept.push(row);
    else refused.push({ index: accepted[row] ?? -1, ...reason });
  }
  if (refused.length === 0) return encoding;
  return {
    ...encoding,
    samples: gatherSamples(samples, kept, layout),
    accepted: Int32Array.from(kept, (row) => accepted[row] ?? -1),
    refused: [...encoding.refused, ...refused].sort((a, b) => a.index - b.index),
  };
}
