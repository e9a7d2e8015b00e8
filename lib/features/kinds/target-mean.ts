import * as z from 'zod';
import { strictObject } from '../../parse.ts';
import { crossedNames, crossedWriter } from './cross.ts';
import { type FeatureBehaviour, halfLifeSchema } from './kind.ts';

/** Buckets of a target mean: all of them are copied with each message. */
const mostBuckets = 65_536;

/**
 * How far the mean label so far of samples with the same values is from that of all (Micci-Barreca
 * 2001): how late flights from an airport are. Of several classes, the share of each. A message's
 * own labels are never in it.
 */
export const targetMeanSchema = strictObject({
  type: z.literal('targetMean'),
  of: crossedNames,
  buckets: z.int().min(2).max(mostBuckets).default(4_096).describe('hash buckets of the values'),
  smoothing: z
    .number()
    .positive()
    .max(1e6)
    .default(10)
    .describe('as many samples with the mean of all labels are counted to each value'),
  halfLife: halfLifeSchema
    .optional()
    .describe('samples of a value after which one counts half; all count alike unless given'),
});

/** How it behaves: a number for each output, and a column of indices that no network sees. */
export function targetMeanBehaviour(
  { of, buckets, smoothing, halfLife }: z.output<typeof targetMeanSchema>,
  outputs: number,
): FeatureBehaviour {
  return {
    width: { numbers: outputs, categories: 1 },
    isStandardized: true,
    of,
    target: { rows: buckets, outputs, smoothing, halfLife },
    writer: ({ categoryOffset, row: { categories } }) =>
      crossedWriter(buckets, (index, into, row) => {
        into.categories[row * categories + categoryOffset] = index;
      }),
    readCell: (cell) => cell,
    input: { kind: 'numbers' },
  };
}
