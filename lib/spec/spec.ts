import * as z from 'zod';
import { invalid } from '../errors.ts';
import { cellsSchema } from '../features/cells.ts';
import { problemsOfClassWeights } from '../features/class-weights.ts';
import {
  featureSchema,
  problemOfElements,
  problemsOfHistory,
  problemsOfIndicators,
  problemsOfScaling,
  problemsOfSources,
} from '../features/kinds.ts';
import { outputCount, type Task, tasks } from '../features/task.ts';
import { limits } from '../limits.ts';
import { isRecord, parse, strictObject } from '../parse.ts';
import { withDeclaredDefaults } from './declared-defaults.ts';
import { listExperts } from './default-experts.ts';
import { problemsOfDerived } from './derived-numbers.ts';
import { ignoredSchema, problemsOfIgnored } from './ignored.ts';
import { featureName, labelSchema, problemsOfClasses, problemsOfOutputs } from './label-schema.ts';
import { modelName } from './names.ts';
import { networkSchema } from './network-schema.ts';
import { onlineSchema, problemsOfLabelWindow } from './online-schema.ts';
import {
  clipSchema,
  minibatch,
  optimizerSchema,
  schedule,
  type scheduleSchema,
} from './optimizer-schema.ts';
import { assertObjects, problemsOfDeclaration } from './problems-of-declaration.ts';
import { problemsOfExperts } from './problems-of-experts.ts';
import { newestRevision, revisionSchema } from './revision.ts';
import { problemsOfHeldOutDataset, validationSchema } from './validation-schema.ts';

/**
 * The losses that each task allows; the first is the default. Each loss is a file of
 * `lib/network/losses/`.
 */
export const lossesOfTask = {
  regression: ['halfMeanSquaredError', 'huber'],
  binary: ['crossEntropy'],
  multiclass: ['crossEntropy'],
} as const satisfies Record<Task, readonly [string, ...string[]]>;

/** The name of a loss, each a mean over samples, weighted by sample. */
export type LossName = (typeof lossesOfTask)[Task][number];

const lossNames: readonly LossName[] = [...new Set(Object.values(lossesOfTask).flat())];

const lossSchema = z.union([
  z.enum(lossNames),
  strictObject({
    quantile: z
      .number()
      .gt(0)
      .lt(1)
      .describe('the share of labels that are to be below what is predicted'),
  }),
]);

const batchSchema = strictObject({
  epochs: z.int().min(1).max(1_000_000).default(10).describe('passes over the dataset'),
  minibatch: minibatch.default(32),
  schedule,
  shuffleShards: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'so many shards (of 262,144 rows, or 64 MiB) are shuffled together, as far as 256 MiB go, so ' +
        'that a dataset sorted by something is mixed further; 1 unless given',
    ),
  sampling: z
    .literal('balanced')
    .optional()
    .describe(
      'rows are drawn so often in each epoch as their class weighs (label.classWeights: ' +
        '"balanced"), instead of weighing so: many copies of rare ones in place of a few large steps',
    ),
  targetLoss: z
    .number()
    .optional()
    .describe(
      'stop once the loss (held out where there is a split, else training) is at most this',
    ),
  validation: validationSchema.default(0.1),
  patience: z
    .int()
    .min(1)
    .optional()
    .describe('stop after so many epochs in which the held-out loss did not become lower'),
  seconds: z
    .number()
    .positive()
    .optional()
    .describe(
      'stop once all slices together have spent so long on epochs, with all that they read and ' +
        'compare; each second is billed',
    ),
  dollars: z
    .number()
    .positive()
    .optional()
    .describe(
      'stop once all slices together have spent so much money on epochs, by the list price of a ' +
        'function on arm64 as it is deployed unless said otherwise',
    ),
  slice: strictObject({
    epochs: z.int().min(1).default(1_000_000),
    seconds: z.number().positive().max(limits.batchTimeoutSeconds).default(600),
  })
    .prefault({})
    .describe('what one invocation does at most'),
  refusedShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('share of the rows that may be refused; if more are, the job fails'),
  margin: z
    .number()
    .min(0)
    .default(0)
    .describe("how much lower a challenger's loss must be than the champion's"),
});

/** The schema of `models/<model>/spec.json`. Unknown fields are refused by name. */
export const specSchema = strictObject({
  model: modelName.describe('its name, which becomes part of keys'),
  task: z.enum(tasks).describe('what it predicts: a number, true or false, one of several classes'),
  features: z
    .record(featureName, featureSchema)
    .refine((features) => Object.keys(features).length > 0, 'a model needs at least one feature')
    .refine(
      (features) => Object.keys(features).length <= limits.features,
      `at most ${limits.features} features`,
    ),
  ignore: ignoredSchema.optional(),
  missing: z
    .literal('learnt')
    .optional()
    .describe(
      'a sample that lacks some of its features is learnt: where a feature says nothing of it, its ' +
        'mean so far stands for a number, the unknown value for a category; refused unless given',
    ),
  label: labelSchema.prefault({}),
  // Filled in by a declaration; absent in models of releases before 0.3.
  cells: cellsSchema.optional().describe('words for missing values, true and false: see cells.md'),
  revision: revisionSchema,
  network: networkSchema.default({ hidden: [], activation: 'relu' }),
  loss: lossSchema
    .optional()
    .describe(
      'halfMeanSquaredError, huber or { "quantile": 0.9 } of a regression, ' +
        'crossEntropy of the others',
    ),
  optimizer: optimizerSchema.default({
    type: 'adam',
    rate: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
  }),
  clip: clipSchema.optional().describe('how far gradients may go'),
  engine: z
    .enum(['wasm', 'wasm-fma', 'onnx', 'tfjs'])
    .optional()
    .describe(
      'what trains it; unless one is named, wasm for networks that it has kernels for and that are ' +
        'not large, or learn few rows a step, onnx for others, and tfjs for what neither can do',
    ),
  seed: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(1)
    .describe('of the initial weights and of every shuffle: the same spec gives the same weights'),
  initialWeights: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be the digest of a file that `millrace import` stored')
    .optional()
    .describe('weights that it starts from, as `millrace import` stored them, instead of its seed'),
  batch: batchSchema.prefault({}),
  online: onlineSchema.prefault({}),
})
  .superRefine((spec, context) => {
    const refuse = (path: string[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const tooMany = problemOfElements(spec.features);
    if (tooMany !== undefined) return refuse(['features'], tooMany);
    for (const { field, problem } of [...problemsOfClasses(spec), ...problemsOfOutputs(spec)])
      refuse(['label', field], problem);
    const losses: readonly LossName[] = lossesOfTask[spec.task];
    const { loss = lossesOfTask[spec.task][0] } = spec;
    const isAllowed = typeof loss === 'object' ? spec.task === 'regression' : losses.includes(loss);
    if (!isAllowed) {
      const names = spec.task === 'regression' ? [...losses, '{ "quantile": 0.9 }'] : losses;
      refuse(['loss'], `the task ${spec.task} allows ${names.join(' or ')}`);
    }
    if (spec.label.standardize === true && spec.task !== 'regression') {
      refuse(['label', 'standardize'], 'only the labels of a regression are standardised');
    }
    for (const problem of problemsOfClassWeights(spec)) refuse(['label', 'classWeights'], problem);
    if (spec.batch.sampling !== undefined && spec.label.classWeights !== 'balanced')
      refuse(
        ['batch', 'sampling'],
        'is how classes are balanced: say label.classWeights "balanced"',
      );
    for (const problem of problemsOfHeldOutDataset(spec))
      refuse(['online', 'drift', 'job'], problem);
    if (Object.hasOwn(spec.features, spec.label.name)) {
      refuse(['label', 'name'], 'the label cannot be one of the features');
    }
    for (const problem of problemsOfIgnored(spec)) refuse(['ignore'], problem);
    for (const { path, problem } of problemsOfSources(spec.features)) refuse(path, problem);
    for (const { path, problem } of problemsOfScaling(spec.features)) refuse(path, problem);
    for (const { path, problem } of problemsOfIndicators(spec.features)) refuse(path, problem);
    const { features, label, network } = spec;
    for (const { path, problem } of problemsOfHistory(features, outputCount(label)))
      refuse(path, problem);
    const waits = Object.values(features).some(
      ({ type }) => type === 'targetMean' || type === 'lag',
    );
    if (waits && 'topology' in network)
      refuse(
        ['network', 'topology'],
        'takes no target means and lags; use hidden layers beside them',
      );
    // Which rows of which tables a topology looks up, and what comes of an index, is its own.
    if ('topology' in network)
      for (const [name, feature] of Object.entries(features))
        if (feature.type === 'category' && feature.vocabulary !== undefined)
          refuse(
            ['features', name, 'vocabulary'],
            'needs a network of hidden layers, not a topology; name values or buckets, or import ' +
              'what `millrace export --format safetensors` wrote',
          );
    for (const problem of problemsOfLabelWindow(spec)) refuse(['online', 'labelWindow'], problem);
    for (const problem of problemsOfExperts(spec)) refuse(['online', 'experts'], problem);
    for (const { path, problem } of problemsOfDerived(spec)) refuse(path, problem);
  })
  .transform(({ online: { experts, replay, ...online }, ...spec }) => ({
    ...spec,
    online: { ...online, ...listExperts(spec, { ...online, experts, replay }) },
  }));

/**
 * A declared model: features, label, network, optimizer, batch and online policy, with defaults
 * filled in.
 */
export type Spec = z.output<typeof specSchema>;
/** What an author writes: everything with a default may be left out. */
export type SpecInput = z.input<typeof specSchema>;

declare const declaration: unique symbol;

/** A spec that remembers, for the compiler alone, what its author wrote. */
export type Declared<Input extends SpecInput = SpecInput> = Spec & {
  readonly [declaration]?: Input;
};

/** One of the optimizers that a spec may name, with its defaults filled in. */
export type OptimizerSpec = Spec['optimizer'];

/** How a learning rate changes with the steps. */
export type Schedule = z.output<typeof scheduleSchema>;

/**
 * Declares a model.
 *
 * @throws MillraceError kind `invalid` that names each wrong field, what was found and what is
 *   allowed
 * @example defineSpec({ model: 'demand', task: 'regression', features: { hour: { type: 'number' } }
 *   })
 */
export function defineSpec<const Input extends SpecInput>(input: Input): Declared<Input> {
  const spec = parseSpec(withDeclaredDefaults(input));
  const { label, task, loss } = spec;
  const isScaled = task === 'regression' && loss !== 'huber';
  const cells = spec.cells ?? cellsSchema.parse({});
  const problems = problemsOfDeclaration({ ...spec, cells });
  if (problems.length > 0) throw invalid(problems.map((problem) => `spec.${problem}`).join('; '));
  const scaled = isScaled ? { ...label, standardize: label.standardize ?? true } : label;
  return { ...spec, cells, revision: newestRevision, label: scaled };
}

/** Validates a spec that came from outside; see {@link defineSpec}. */
export function parseSpec(input: unknown): Spec {
  const features = (input as { features?: unknown } | null | undefined)?.features;
  if (typeof features === 'object' && features !== null && Object.hasOwn(features, '__proto__'))
    throw invalid('spec.features: __proto__ cannot be the name of a feature');
  const label = (input as { label?: { classWeights?: unknown } | null } | null | undefined)?.label;
  const classWeights = label?.classWeights;
  if (isRecord(classWeights) && Object.hasOwn(classWeights, '__proto__'))
    throw invalid('spec.label.classWeights: __proto__ cannot be given a weight; rename the class');
  assertObjects(input);
  return parse(specSchema, input, 'spec');
}
