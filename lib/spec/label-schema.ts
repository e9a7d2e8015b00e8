import { z } from 'zod';
import { columnName } from '../features/kinds/kind.ts';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';

/** The name of a feature. */
export const featureName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
    'a feature is named like a variable, with at most 64 characters',
  );

const classWeight = z.number().min(1e-6).max(1e6);

/**
 * What the model predicts: a number, true or false, or one of `classes`. `name` is its column in
 * datasets.
 */
export const labelSchema = strictObject({
  name: featureName.default('label').describe('what it is called in samples'),
  column: columnName.optional().describe('its column in datasets; its name unless given'),
  standardize: z
    .boolean()
    .optional()
    .describe(
      'regressions: by their running mean and variance; losses and predictions stay in the own ' +
        'unit. A declaration turns it on, but for the Huber loss, whose δ is in that unit',
    ),
  classes: z
    .array(z.string().min(1).max(limits.categoryCharacters))
    .min(2)
    .max(10_000)
    .refine((classes) => new Set(classes).size === classes.length, 'classes must be distinct')
    .optional()
    .describe('of the task multiclass, and of it alone'),
  classWeights: z
    .union([z.literal('balanced'), z.record(z.string(), classWeight)])
    .optional()
    .describe(
      'how much the samples of a class count, by its name (`true`, `false` of the task binary): 1 ' +
        'unless given. `balanced`: by how rare it has been, so that all classes count alike ' +
        'together. Losses, scores and what is predicted are those of samples that weigh so',
    ),
});
