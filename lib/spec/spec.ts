import { z } from 'zod';
import { invalid } from '../errors.ts';
import { cellsSchema } from '../features/cells.ts';
import type { Task } from '../features/columns.ts';
import { columnName } from '../features/kinds/kind.ts';
import { featureSchema } from '../features/kinds.ts';
import { limits } from '../limits.ts';
import { parse, strictObject } from '../parse.ts';
import { modelName } from './names.ts';
import { topologySchema } from './topology-schema.ts';

const featureName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
    'a feature is named like a variable, with at most 64 characters',
  );

/**
 * What the model predicts: a number, true or false, or one of `classes`. `name` is its column in
 * datasets.
 */
const labelSchema = strictObject({
  name: featureName.default('label'),
  /** Its column in datasets; its name unless given. */
  column: columnName.optional(),
  /**
   * Regressions: whether labels are standardised by their running mean and variance; losses and
   * predictions stay in the label's own unit. A declaration turns it on, but for the Huber loss,
   * whose δ is in that unit.
   */
  standardize: z.boolean().optional(),
  classes: z
    .array(z.string().min(1).max(limits.categoryCharacters))
    .min(2)
    .max(10_000)
    .refine((classes) => new Set(classes).size === classes.length, 'classes must be distinct')
    .optional(),
});

const tasks = ['regression', 'binary', 'multiclass'] as const satisfies readonly Task[];

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

const networkSchema = z.union([
  strictObject({
    hidden: z.array(z.int().min(1).max(65_536)).max(32).default([]),
    activation: z
      .enum(['relu', 'tanh', 'sigmoid', 'elu', 'selu', 'softplus', 'softsign', 'swish', 'linear'])
      .default('relu'),
  }),
  /**
   * The topology of any tfjs Layers model: what `model.toJSON()` answers (a text), or the content of
   * a `model.json` or of a Keras 2 file.
   */
  strictObject({ topology: topologySchema }),
]);

const rate = z.number().positive().max(1_000);
const fraction = z.number().min(0).lt(1);
const epsilon = z.number().positive().max(1).default(1e-7);

/** Optimizers with tfjs' definitions and defaults; slots live in the state. */
const optimizerSchema = z.discriminatedUnion('type', [
  strictObject({ type: z.literal('sgd'), rate }),
  strictObject({ type: z.literal('momentum'), rate, momentum: fraction.default(0.9) }),
  strictObject({ type: z.literal('nesterov'), rate, momentum: fraction.default(0.9) }),
  strictObject({
    type: z.literal('rmsprop'),
    rate,
    decay: fraction.default(0.9),
    momentum: fraction.default(0),
    epsilon,
  }),
  strictObject({
    type: z.literal('adagrad'),
    rate,
    initialAccumulator: z.number().positive().default(0.1),
    epsilon,
  }),
  strictObject({ type: z.literal('adadelta'), rate, decay: fraction.default(0.95), epsilon }),
  strictObject({
    type: z.literal('adam'),
    rate,
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.999),
    epsilon,
  }),
  strictObject({
    type: z.literal('adamax'),
    rate,
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.999),
    epsilon,
  }),
]);

/** The optimizers that a spec may name. */
export const optimizerTypes = optimizerSchema.options.map(({ shape }) => shape.type.value);

/**
 * Gradients are cut off before the optimizer sees them: each element first, then the norm of all
 * together.
 */
const clipSchema = strictObject({
  value: z.number().positive().optional(),
  norm: z.number().positive().optional(),
});

const steps = z.int().min(1).max(1_000_000_000);
const factor = z.number().positive().max(1);

/**
 * How the learning rate changes with the gradient steps that a state has made; see
 * `lib/network/schedules.ts`.
 */
const scheduleSchema = z.discriminatedUnion('type', [
  strictObject({ type: z.literal('constant') }),
  /** Times `factor` after each `steps`. */
  strictObject({ type: z.literal('step'), steps, factor }),
  /** Times `factor` over each `steps`, smoothly. */
  strictObject({ type: z.literal('exponential'), steps, factor }),
  /** Half a cosine down to `floor` times the rate after `steps`, and constant from there. */
  strictObject({ type: z.literal('cosine'), steps, floor: z.number().min(0).max(1).default(0) }),
  /** Half the rate after `steps`, a third after twice as many. */
  strictObject({ type: z.literal('inverseTime'), steps }),
]);
const schedule = scheduleSchema.default({ type: 'constant' });

const minibatch = z.int().min(1).max(65_536);

const batchSchema = strictObject({
  epochs: z.int().min(1).max(1_000_000).default(10),
  minibatch: minibatch.default(32),
  schedule,
  /** Stop once the loss (held-out where there is a split, else training) is at most this. */
  targetLoss: z.number().optional(),
  /** Share of the rows that is held out for early stopping and for challenger against champion. */
  validation: z.number().min(0).max(0.5).default(0.1),
  /** Stop after this many epochs in which the held-out loss did not become lower. */
  patience: z.int().min(1).optional(),
  /** What one invocation does at most. */
  slice: strictObject({
    epochs: z.int().min(1).default(1_000_000),
    seconds: z.number().positive().max(limits.batchTimeoutSeconds).default(600),
  }).prefault({}),
  /** Share of the rows that may be refused; if more are, the job fails. */
  refusedShare: z.number().min(0).max(1).default(0.1),
  /** How much lower a challenger's loss must be than the champion's. */
  margin: z.number().min(0).default(0),
});

const onlineSchema = strictObject({
  minibatch: minibatch.default(32),
  /** The learning rate of the stream; the optimizer's rate unless given. */
  rate: rate.optional(),
  schedule,
  /** Write the checkpoint after every so many journal entries. */
  publishEvery: z.int().min(1).max(10_000).default(1),
});

/** The schema of `models/<model>/spec.json`. Unknown fields are refused by name. */
export const specSchema = strictObject({
  model: modelName,
  task: z.enum(tasks),
  features: z
    .record(featureName, featureSchema)
    .refine((features) => Object.keys(features).length > 0, 'a model needs at least one feature')
    .refine(
      (features) => Object.keys(features).length <= limits.features,
      `at most ${limits.features} features`,
    ),
  label: labelSchema.prefault({}),
  /** Words of cells. Filled in by a declaration; absent in models of releases before 0.3. */
  cells: cellsSchema.optional(),
  /**
   * The rules by which samples become numbers; later ones never change the bits of a model that
   * exists. Filled in by a declaration; absent in models of releases before 0.4. 1: the labels of a
   * regression stay float64 until they are standardised.
   */
  revision: z.literal(1).optional(),
  network: networkSchema.default({ hidden: [], activation: 'relu' }),
  loss: z.enum(lossNames).optional(),
  optimizer: optimizerSchema.default({
    type: 'adam',
    rate: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
  }),
  clip: clipSchema.optional(),
  /** The engine that trains it. Unless one is named: onnx if the network allows it, else tfjs. */
  engine: z.enum(['onnx', 'tfjs']).optional(),
  /** The seed of the initial weights and of every shuffle: the same spec gives the same weights. */
  seed: z.int().min(0).max(0xffff_ffff).default(1),
  batch: batchSchema.prefault({}),
  online: onlineSchema.prefault({}),
}).superRefine((spec, context) => {
  const refuse = (path: string[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  if ((spec.task === 'multiclass') !== (spec.label.classes !== undefined)) {
    refuse(['label', 'classes'], 'classes are needed by the task multiclass, and by it alone');
  }
  const losses: readonly LossName[] = lossesOfTask[spec.task];
  if (spec.loss !== undefined && !losses.includes(spec.loss)) {
    refuse(['loss'], `the task ${spec.task} allows ${losses.join(' or ')}`);
  }
  if (spec.label.standardize === true && spec.task !== 'regression') {
    refuse(['label', 'standardize'], 'only the labels of a regression are standardised');
  }
  if (Object.hasOwn(spec.features, spec.label.name)) {
    refuse(['label', 'name'], 'the label cannot be one of the features');
  }
});

/**
 * A declared model: features, label, network, optimizer, batch and online policy, with defaults
 * filled in.
 */
export type Spec = z.output<typeof specSchema>;
/** What an author writes: everything with a default may be left out. */
export type SpecInput = z.input<typeof specSchema>;
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
export function defineSpec(input: SpecInput): Spec {
  const spec = parseSpec({
    optimizer: declaredOptimizer,
    ...input,
    online: { minibatch: declaredMinibatch, ...input.online },
  });
  const standardize = spec.task === 'regression' && spec.loss !== 'huber';
  return {
    ...spec,
    cells: spec.cells ?? cellsSchema.parse({}),
    revision: 1,
    label: standardize
      ? { ...spec.label, standardize: spec.label.standardize ?? true }
      : spec.label,
  };
}

/**
 * What a declaration fills in: it learns a stream within some hundred samples, in messages of any
 * size. (What a stored spec leaves out is filled in by the schema, as it was when it was stored.)
 */
const declaredOptimizer = { type: 'adagrad' as const, rate: 0.1 };
const declaredMinibatch = 4;

/** Validates a spec that came from outside; see {@link defineSpec}. */
export function parseSpec(input: unknown): Spec {
  const features = (input as { features?: unknown } | null | undefined)?.features;
  if (typeof features === 'object' && features !== null && Object.hasOwn(features, '__proto__'))
    throw invalid('spec.features: __proto__ cannot be the name of a feature');
  return parse(specSchema, input, 'spec');
}
