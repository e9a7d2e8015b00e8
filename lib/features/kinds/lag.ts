import * as z from 'zod';
import { strictObject } from '../../parse.ts';
import { accepted } from '../../refusal.ts';
import { crossedNames, crossedWriter } from './cross.ts';
import { columnName, type FeatureBehaviour } from './kind.ts';

/** How far back a lag may look. */
const mostSteps = 1_024;

/**
 * The label, or a number, of earlier samples: what was sold an hour, a day, a week ago. Of several
 * classes, which it was. A message knows what came before it, and nothing of itself.
 */
export const lagSchema = strictObject({
  type: z.literal('lag'),
  steps: z
    .array(z.int().min(1).max(mostSteps))
    .min(1)
    .max(64)
    .refine((steps) => new Set(steps).size === steps.length, 'steps must be distinct')
    .default([1])
    .describe('how many samples ago; where there were not as many yet, the mean so far stands'),
  source: columnName
    .optional()
    .describe('the number whose earlier values they are; the label unless given'),
  by: crossedNames
    .optional()
    .describe('the features whose values samples must share; all samples are one row unless given'),
  buckets: z
    .int()
    .min(2)
    .max(65_536)
    .optional()
    .describe('hash buckets of the values of `by`, 1024 unless given'),
});

type Lag = z.output<typeof lagSchema>;

/** What a lag keeps, and how wide it is. @param classes how many numbers stand for a label */
export function lagOf({ steps, source, by, buckets = 1_024 }: Lag, classes: number) {
  const outputs = source === undefined ? classes : 1;
  const rows = by === undefined ? 1 : buckets;
  return { rows, depth: Math.max(...steps), steps, outputs, sourceName: source };
}

/** How it behaves: a number for each step and output, and a column of indices if it has `by`. */
export function lagBehaviour(feature: Lag, classes: number): FeatureBehaviour {
  const { by } = feature;
  const lag = lagOf(feature, classes);
  return {
    width: { numbers: lag.steps.length * lag.outputs, categories: by === undefined ? 0 : 1 },
    isStandardized: true,
    of: by ?? [],
    lag,
    writer: ({ categoryOffset, row: { categories } }) =>
      by === undefined
        ? () => accepted
        : crossedWriter(lag.rows, (index, into, row) => {
            into.categories[row * categories + categoryOffset] = index;
          }),
    readCell: (cell) => cell,
    input: { kind: 'numbers' },
  };
}
