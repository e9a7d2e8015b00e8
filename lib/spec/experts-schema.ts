import * as z from 'zod';
import { halfLifeSchema } from '../features/kinds/kind.ts';
import { strictObject } from '../parse.ts';
import { fourierSchema, piecewiseLinearSchema, quadraticSchema } from './derived-numbers.ts';
import { rate } from './optimizer-schema.ts';

/** Units of each hidden layer. */
export const hiddenUnits = z.array(z.int().min(1).max(65_536)).max(32);

/** What is computed of a hidden layer's sums. */
export const activationName = z.enum([
  'relu',
  'tanh',
  'sigmoid',
  'elu',
  'selu',
  'softplus',
  'softsign',
  'swish',
  'linear',
]);

const networkFields = {
  hidden: hiddenUnits.optional().describe("units of its hidden layers; the network's unless given"),
  activation: activationName
    .optional()
    .describe("of its hidden layers; the network's unless given"),
  fourier: fourierSchema
    .optional()
    .describe('random Fourier features that it takes besides; those of the network unless given'),
  piecewiseLinear: piecewiseLinearSchema
    .optional()
    .describe(
      'how far numbers are through each part of their line, which it takes besides; as those of ' +
        'the network unless given',
    ),
  quadratic: quadraticSchema
    .optional()
    .describe(
      'the squares of numbers and the products of pairs, which it takes besides; as those of the ' +
        'network unless given',
    ),
  rate: rate.optional().describe("its learning rate; the model's unless given"),
  halfLife: halfLifeSchema
    .optional()
    .describe('samples after which one counts half in the mean and variance that it sees'),
  replay: z.boolean().default(false).describe('whether it learns old samples beside the new ones'),
  secondOrder: z
    .boolean()
    .optional()
    .describe(
      'a linear model that learns by how sure it is of each weight and of each pair, without a rate',
    ),
};

/** What may stand without a network. */
const allPredicts = 'prior, lastLabel, neighbours, trees or stack';

/** A network beside others; what it leaves out is as in the spec. */
const networkExpert = strictObject(
  {
    ...networkFields,
    predicts: z.never(`must be ${allPredicts}`).optional(),
  },
  Object.keys(networkFields),
);

/**
 * What needs no network: the mean or the class shares of all labels; a regression's last label, or
 * the shares of the classes that followed the last one; and what the other experts say, stacked.
 */
const constantExpert = strictObject({
  predicts: z
    .enum(['prior', 'lastLabel', 'stack'])
    .describe(
      'without a network: what labels are on average; the last one (of classes, what followed it); ' +
        'or a weighted sum of what the other experts say (of classes, of their log-odds)',
    ),
});

/** What needs no network either: what labels were of the latest samples that are alike. */
const neighboursExpert = strictObject({
  predicts: z
    .literal('neighbours')
    .describe('without a network: what labels are of those of the latest samples that are like it'),
  window: z.int().min(2).max(8_192).default(1_000).describe('how many of them are kept'),
});

/** Nor does this one: trees that are grown over the latest samples. */
const treesExpert = strictObject({
  predicts: z
    .literal('trees')
    .describe('without a network: gradient-boosted trees over the latest samples'),
  window: z.int().min(8).max(8_192).default(8_000).describe('how many of those are kept'),
  trees: z.int().min(1).max(256).default(60).describe('how many there are'),
  leaves: z.int().min(2).max(64).default(16).describe('how many leaves each has at most'),
  rate: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.2)
    .describe('the share that each says of what would correct those before it'),
});

const expertSchema = z.union([
  z.discriminatedUnion('predicts', [constantExpert, neighboursExpert, treesExpert], {
    error: `must be ${allPredicts}`,
  }),
  networkExpert,
]);

/** One that trains a network. */
export type NetworkExpert = Omit<z.output<typeof networkExpert>, 'predicts'>;
/** One that keeps the latest samples. */
export type NeighboursExpert = z.output<typeof neighboursExpert>;
/** One that grows trees over the latest samples. */
export type TreesExpert = z.output<typeof treesExpert>;
/** One that says the same of all samples. */
export type ConstantExpert = z.output<typeof constantExpert>;
/** A learner beside others. */
export type Expert = ConstantExpert | NeighboursExpert | TreesExpert | NetworkExpert;

/** Whether an expert trains a network. */
export function isNetwork(expert: Expert): expert is NetworkExpert {
  return !('predicts' in expert);
}

/** Whether an expert keeps the latest samples, and answers by those that are alike. */
export function isOfNeighbours(expert: Expert): expert is NeighboursExpert {
  return predictsBy(expert, 'neighbours');
}

/** Whether an expert keeps the latest samples, and grows trees over them. */
export function isOfTrees(expert: Expert): expert is TreesExpert {
  return predictsBy(expert, 'trees');
}

/** Whether an expert has no network, and predicts by something else. */
export function predictsBy(
  expert: Expert,
  what: 'prior' | 'lastLabel' | 'stack' | 'neighbours' | 'trees',
): boolean {
  return 'predicts' in expert && expert.predicts === what;
}

/** Whether an expert is what the others say, each times a weight. */
export function isStack(expert: Expert): boolean {
  return predictsBy(expert, 'stack');
}

/** `online.experts`. */
export const expertsSchema = z.union([
  z.literal('default'),
  z
    .array(expertSchema)
    .min(2)
    .max(24)
    .refine((experts) => experts.some(isNetwork), 'at least one expert must be a network'),
]);

/** `online.replay`. */
export const replaySchema = strictObject({
  ratio: z.int().min(1).max(64).default(16).describe('old samples beside each new one'),
  size: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('samples that are kept, at most a mebibyte of them'),
  keep: z
    .enum(['some', 'recent'])
    .optional()
    .describe(
      'which: `some`, drawn evenly from all that were learnt, unless given; `recent`: the last ' +
        'ones',
    ),
});
