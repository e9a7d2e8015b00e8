import * as z from 'zod';
import { columnName } from '../features/kinds/kind.ts';
import type { Feature } from '../features/kinds.ts';
import type { DeclaredClasses, DeclaredLabel, Task } from '../features/task.ts';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';

/** What is wrong with the outputs of a spec. */
export function problemsOfOutputs({
  task,
  label: { outputs, column },
  features,
}: {
  readonly task: Task;
  readonly label: DeclaredLabel & { readonly column?: string | undefined };
  readonly features: Readonly<Record<string, Feature>>;
}): readonly { readonly field: 'outputs' | 'column'; readonly problem: string }[] {
  if (outputs === undefined) return [];
  const asks = labelFeature(features);
  return [
    ...(task === 'regression'
      ? []
      : [{ field: 'outputs' as const, problem: 'are of the task regression, and of it alone' }]),
    ...(column === undefined
      ? []
      : [{ field: 'column' as const, problem: 'outputs are columns of their own; leave it out' }]),
    ...(asks === undefined
      ? []
      : [{ field: 'outputs' as const, problem: `${asks} is taken from labels of one number` }]),
  ];
}

/** A feature that is taken from labels. */
function labelFeature(features: Readonly<Record<string, Feature>>): string | undefined {
  const asks = Object.entries(features).find(
    ([, feature]) =>
      feature.type === 'targetMean' || (feature.type === 'lag' && feature.source === undefined),
  );
  return asks?.[0];
}

/** What is wrong with the classes of a spec. */
export function problemsOfClasses({
  task,
  label: { classes, maxClasses },
  features,
  network,
  optimizer,
}: {
  readonly task: Task;
  readonly label: DeclaredClasses;
  readonly features: Readonly<Record<string, Feature>>;
  readonly network: object;
  readonly optimizer: { readonly weightDecay?: number | undefined };
}): readonly { readonly field: 'classes' | 'maxClasses'; readonly problem: string }[] {
  if (task !== 'multiclass') {
    const refuse = (field: 'classes' | 'maxClasses') => ({
      field,
      problem: `${field} are of the task multiclass, and of it alone`,
    });
    return [
      ...(classes === undefined ? [] : [refuse('classes')]),
      ...(maxClasses === undefined ? [] : [refuse('maxClasses')]),
    ];
  }
  const declared = classes?.length ?? 0;
  if (maxClasses === undefined) {
    if (declared >= 2) return [];
    const problem = `classes are needed: two at least (found ${declared}), or maxClasses`;
    return [{ field: 'classes', problem }];
  }
  if (declared > maxClasses)
    return [
      { field: 'maxClasses', problem: `is less than the ${declared} classes that are declared` },
    ];
  if ('topology' in network) {
    const problem = 'needs a network of hidden layers, not a topology; declare all classes';
    return [{ field: 'maxClasses', problem }];
  }
  if (optimizer.weightDecay !== undefined) {
    const problem =
      'keeps classes that have not come away by what they begin with, which optimizer.weightDecay ' +
      'would shrink; declare all classes, or use network.l2';
    return [{ field: 'maxClasses', problem }];
  }
  const asks = labelFeature(features);
  if (asks === undefined) return [];
  const problem = `${asks} is taken from labels, which needs all classes to be declared`;
  return [{ field: 'maxClasses', problem }];
}

/** Control characters and line ends, in words that Python's `re` knows too. */
const endsLine = String.raw`\u0000-\u001f\u007f-\u009f\u2028\u2029`;

/** A refusal's field has room for the name beside what is before it. */
const mostCharacters = 100;

/** The name of a feature is any text of one line. */
export const featureName = z
  .string()
  .max(mostCharacters, `a name has at most ${mostCharacters} characters`)
  .regex(
    new RegExp(`^(?!\\s|__proto__$)[^${endsLine}]+(?<!\\s)$`),
    'a name is a text of one line, without white space at its ends, and not __proto__',
  )
  .refine((name) => name.isWellFormed(), 'a name has no half of a character');

const classWeight = z.number().min(1e-6).max(1e6);

/**
 * What the model predicts: a number, true or false, or one of `classes`. `name` is its column in
 * datasets.
 */
export const labelSchema = strictObject({
  name: featureName
    .default('label')
    .describe('what it is called in files and in what is said of it; messages have it as `label`'),
  column: columnName.optional().describe('its column in datasets; its name unless given'),
  standardize: z
    .boolean()
    .optional()
    .describe(
      'regressions: by their running mean and variance; losses and predictions stay in the own ' +
        'unit. A declaration turns it on, but for the Huber loss, whose δ is in that unit',
    ),
  outputs: z
    .array(columnName)
    .min(2)
    .max(limits.labelOutputs)
    .refine((names) => new Set(names).size === names.length, 'names must be distinct')
    .refine((names) => !names.includes('__proto__'), '__proto__ cannot be the name of an output')
    .refine(
      (names) => names.every((name) => name === name.trim()),
      'names have no white space at their ends: that of a header is passed over',
    )
    .optional()
    .describe(
      'regressions that predict several numbers at once: their names, which are their columns in ' +
        'datasets. The label of a sample is an object with a number for each, and a loss is the ' +
        'mean of theirs, in their own units (where they are standardised and no rows are held out, ' +
        'of batch jobs in deviations)',
    ),
  classes: z
    .array(z.string().min(1).max(limits.categoryCharacters))
    .min(1)
    .max(10_000)
    .refine((classes) => new Set(classes).size === classes.length, 'classes must be distinct')
    .optional()
    .describe('of the task multiclass, and of it alone'),
  maxClasses: z
    .int()
    .min(2)
    .max(10_000)
    .optional()
    .describe(
      'classes that are not declared get places as they come, until there are so many; samples of ' +
        'others are refused then. All must be declared unless given',
    ),
  classWeights: z
    .union([z.literal('balanced'), z.record(z.string(), classWeight)])
    .optional()
    .describe(
      'how much the samples of a class count, by its name (`true`, `false` of the task binary): 1 ' +
        'unless given. `balanced`: by how rare it has been, so that all classes count alike ' +
        'together. Losses, scores and what is predicted are those of samples that weigh so; rows ' +
        'of a file that `evaluate` compares count by their own weight alone',
    ),
});
