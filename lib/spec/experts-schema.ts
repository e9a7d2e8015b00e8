import * as z from 'zod';
import { halfLifeSchema } from '../features/kinds/kind.ts';
import { type Feature, numbersOf } from '../features/kinds.ts';
import { classCount, type DeclaredLabel, outputCount } from '../features/task.ts';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';
import { fourierSchema } from './fourier-schema.ts';
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

/** A network beside others; what it leaves out is as in the spec. */
const networkExpert = strictObject({
  hidden: hiddenUnits.optional().describe("units of its hidden layers; the network's unless given"),
  activation: activationName
    .optional()
    .describe("of its hidden layers; the network's unless given"),
  fourier: fourierSchema
    .optional()
    .describe('random Fourier features that it takes besides; those of the network unless given'),
  rate: rate.optional().describe("its learning rate; the model's unless given"),
  halfLife: halfLifeSchema
    .optional()
    .describe('samples after which one counts half in the mean and variance that it sees'),
  replay: z.boolean().default(false).describe('whether it learns old samples beside the new ones'),
});

/**
 * What needs no network: the mean or the class shares of all labels; a regression's last label, or
 * the shares of the classes that followed the last one.
 */
const constantExpert = strictObject({
  predicts: z
    .enum(['prior', 'lastLabel'])
    .describe(
      'without a network: what labels are on average, or the last one (of classes, what followed it)',
    ),
});

const expertSchema = z.union([constantExpert, networkExpert]);

/** A learner beside others. */
export type Expert = z.output<typeof expertSchema>;
/** One that trains a network. */
export type NetworkExpert = z.output<typeof networkExpert>;

/** Whether an expert trains a network. */
export function isNetwork(expert: Expert): expert is NetworkExpert {
  return !('predicts' in expert);
}

/** `online.experts`. */
export const expertsSchema = z.union([
  z.literal('default'),
  z
    .array(expertSchema)
    .min(2)
    .max(16)
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

/** A linear model of what is relative to the last hundred samples or so. */
export const forgettingLinearExpert: Expert = {
  hidden: [],
  rate: 0.1,
  halfLife: 100,
  replay: false,
};

/** A linear model of all samples. */
export const linearExpert: Expert = { hidden: [], rate: 0.1, replay: true };

/** A kernel machine, of Adagrad's usual rate. */
export const periodicExpert: Expert = {
  hidden: [],
  rate: 0.1,
  replay: true,
  fourier: { units: 64 },
};

/**
 * The experts of those who do not want to tune: steady and wide ones that replay, one that follows
 * a drift, one that forgets fast, a linear one that forgets slowly and one that does not, and one
 * over random Fourier features where there are few numbers. Their rates are those of Adagrad.
 */
function defaultExperts(classes: number, numbers: number): Expert[] {
  return [
    { hidden: [32], rate: 0.3, replay: true },
    { hidden: [32, 32], rate: 0.3, replay: true },
    { hidden: [32], rate: 0.1, replay: false },
    { hidden: [32], rate: 0.3, halfLife: 16, replay: false },
    forgettingLinearExpert,
    linearExpert,
    ...(numbers > 0 && numbers <= limits.periodicNumbers ? [periodicExpert] : []),
    { predicts: 'prior' },
    ...(classes <= limits.lastLabelClasses ? [{ predicts: 'lastLabel' as const }] : []),
  ];
}

type Named = z.output<typeof expertsSchema>;
type Replay = z.output<typeof replaySchema>;

/** What a model learns from, and what it says. */
type Declared = {
  readonly label: DeclaredLabel;
  readonly features: Readonly<Record<string, Feature>>;
};

function allNumbersOf(features: Declared['features'], classes: number): number {
  return Object.values(features).reduce(
    (sum, feature) => sum + numbersOf(feature, Math.max(1, classes)),
    0,
  );
}

/** The parts of a spec's `online` that say who learns. */
type Learners = { readonly experts?: Named | undefined; readonly replay?: Replay | undefined };

/**
 * The experts that a spec names, one by one, and the replay that they need: a later release may
 * have other defaults, and what is stored says what they were.
 */
export function listExperts(
  { label, features }: Declared,
  { experts: named, replay }: Learners,
): { experts?: Expert[]; replay?: Replay } {
  if (named === undefined) return replay ? { replay } : {};
  const classes = classCount(label) ?? 0;
  const experts =
    named === 'default' ? defaultExperts(classes, allNumbersOf(features, classes)) : named;
  const replays = experts.some((expert) => isNetwork(expert) && expert.replay);
  const needed = replay ?? (replays ? replaySchema.parse({}) : undefined);
  return needed ? { experts, replay: needed } : { experts };
}

/** Why a spec cannot have the experts that it names. */
export function problemsOfExperts({
  label,
  features,
  network,
  optimizer,
  online: { minibatch, replay, ...online },
}: Declared & {
  readonly online: Learners & { readonly minibatch: number };
  readonly network: object;
  readonly optimizer: { readonly type: string };
}): string[] {
  const problems: string[] = [];
  const { experts, replay: needed } = listExperts({ label, features }, { replay, ...online });
  const ratio = needed?.ratio ?? 0;
  if (ratio > 0 && minibatch * (1 + ratio) > limits.rehearsedRows) {
    problems.push(
      `a minibatch with its replayed samples has at most ${limits.rehearsedRows} ` +
        `(found ${minibatch} and ${minibatch * ratio} more)`,
    );
  }
  if (experts === undefined) return problems;
  const outputs = experts.length * outputCount(label);
  if (outputs > limits.expertOutputs)
    problems.push(
      `experts times ${label.outputs ? 'outputs' : 'classes'} may be ${limits.expertOutputs} at most ` +
        `(found ${outputs})`,
    );
  if ('topology' in network)
    problems.push('experts are networks of hidden layers; leave network.topology out');
  if (online.experts === 'default') {
    if (optimizer.type !== 'adagrad')
      problems.push(
        `the default experts learn by adagrad (found ${optimizer.type}); leave the optimizer out, ` +
          'or list experts with rates of their own',
      );
  }
  const classes = classCount(label) ?? 0;
  const isOfLast = (each: Expert) => 'predicts' in each && each.predicts === 'lastLabel';
  if (classes > limits.lastLabelClasses && experts.some(isOfLast)) {
    problems.push(
      `an expert predicts by the lastLabel of ${limits.lastLabelClasses} classes at most ` +
        `(found ${classes}); leave it out`,
    );
  }
  return problems;
}
