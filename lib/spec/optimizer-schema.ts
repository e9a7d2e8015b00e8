import * as z from 'zod';
import { strictObject } from '../parse.ts';

/** A learning rate. */
export const rate = z.number().positive().max(1_000);
const fraction = z.number().min(0).lt(1);
const epsilon = z.number().positive().max(1).default(1e-7);

/** What any optimizer may have besides. */
const common = {
  weightDecay: z
    .number()
    .positive()
    .max(100)
    .optional()
    .describe(
      'each step takes rate × weightDecay of every weight away, of a table those of the rows that it ' +
        'touches: adam with it is AdamW',
    ),
  normalized: z
    .boolean()
    .optional()
    .describe(
      'the rate is divided by the root of the mean squared norm of the samples so far, as networks ' +
        "see them: with adagrad and numbers that are standardised by maxAbs, Vowpal Wabbit's default",
    ),
  averageDecay: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe(
      'what answers is an average of the weights, of which each step leaves that share and takes the ' +
        'rest from its own; of a table, over the steps that touch a row',
    ),
};

/** Optimizers with tfjs' definitions and defaults; slots live in the state. */
export const optimizerSchema = z.discriminatedUnion('type', [
  strictObject({ type: z.literal('sgd'), rate, ...common }),
  strictObject({
    type: z.literal('momentum'),
    rate,
    momentum: fraction.default(0.9),
    ...common,
  }),
  strictObject({
    type: z.literal('nesterov'),
    rate,
    momentum: fraction.default(0.9),
    ...common,
  }),
  strictObject({
    type: z.literal('rmsprop'),
    rate,
    decay: fraction.default(0.9),
    momentum: fraction.default(0),
    epsilon,
    ...common,
  }),
  strictObject({
    type: z.literal('adagrad'),
    rate,
    initialAccumulator: z.number().positive().max(1e38).default(0.1),
    epsilon,
    ...common,
  }),
  strictObject({
    type: z.literal('adadelta'),
    rate,
    decay: fraction.default(0.95),
    epsilon,
    ...common,
  }),
  strictObject({
    type: z.literal('adam'),
    rate,
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.999),
    epsilon,
    epsilonHat: z
      .boolean()
      .optional()
      .describe('whether ε is not corrected for the first steps, as in Keras and scikit-learn'),
    ...common,
  }),
  strictObject({
    type: z.literal('lion'),
    rate,
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.99),
    ...common,
  }),
  strictObject({
    type: z.literal('ftrl'),
    rate,
    beta: z.number().positive().max(1e6).default(1).describe('how slowly it begins'),
    l1: z
      .number()
      .min(0)
      .max(1e6)
      .default(0)
      .describe('weights whose gradients add up to no more than that are exactly 0'),
    l2: z.number().min(0).max(1e6).default(0).describe('how strongly weights are drawn to 0'),
    ...common,
  }),
  strictObject({
    type: z.literal('adamax'),
    rate,
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.999),
    epsilon,
    ...common,
  }),
]);

/** The optimizers that a spec may name. */
export const optimizerTypes = optimizerSchema.options.map(({ shape }) => shape.type.value);

/**
 * Gradients are cut off before the optimizer sees them: each element first, then the norm of all
 * together.
 */
export const clipSchema = strictObject({
  value: z.number().positive().optional().describe('the largest size of an element'),
  norm: z.number().positive().optional().describe('the largest norm of all together'),
});

const steps = z.int().min(1).max(1_000_000_000);
const factor = z.number().positive().max(1);

/**
 * How the learning rate changes with the gradient steps that a state has made; see
 * `lib/network/schedules.ts`.
 */
export const scheduleSchema = z.discriminatedUnion('type', [
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

/** The schedule of a spec that names none is constant. */
export const schedule = scheduleSchema.default({ type: 'constant' });

/** Samples of a gradient step. */
export const minibatch = z.int().min(1).max(65_536);
