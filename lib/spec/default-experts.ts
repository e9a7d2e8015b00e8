import type * as z from 'zod';
import { cellsAsWritten } from '../features/cells.ts';
import { behaviourOf, type Feature } from '../features/kinds.ts';
import { classCount, type DeclaredLabel, outputCount } from '../features/task.ts';
import { type Derived, type DerivedCounts, derivedCounts, pairCount } from './derived-numbers.ts';
import { expertLimits } from './expert-limits.ts';
import {
  type Expert,
  type expertsSchema,
  isNetwork,
  isOfNeighbours,
  isOfTrees,
  type NetworkExpert,
  replaySchema,
} from './experts-schema.ts';
import { isTreeCategory } from './tree-categories.ts';

/** A network that goes on with the latest samples. */
const followingExpert: NetworkExpert = { hidden: [32], rate: 0.1, replay: false };

/** A linear model of what is relative to the last hundred samples or so; its steps are large. */
export const forgettingLinearExpert: NetworkExpert = {
  hidden: [],
  rate: 1,
  halfLife: 100,
  replay: false,
};

/** A linear model of all samples. */
export const linearExpert: NetworkExpert = { hidden: [], rate: 0.1, replay: true };

/** A linear model that knows how sure it is. */
export const secondOrderExpert: NetworkExpert = { hidden: [], replay: false, secondOrder: true };

/** Whether it learns by second order; today's defaults have such, those before 0.27 had none. */
export function isOfSecondOrder(expert: Expert): boolean {
  return isNetwork(expert) ? expert.secondOrder === true : expert.predicts === 'stack';
}

/**
 * Whether an expert wants to know how numbers are standardised: those of second order do in a
 * regression. (Of classes they are as good without, and better where the world changes.)
 */
export function followsNumbers({
  task,
  revision = 0,
  online,
}: {
  readonly task: string;
  readonly revision?: number | undefined;
  readonly online: Learners;
}): boolean {
  const { experts } = online;
  return (
    task === 'regression' &&
    revision >= 14 &&
    Array.isArray(experts) &&
    experts.some((expert) => isNetwork(expert) && expert.secondOrder === true)
  );
}

/** One of neighbours: of samples of many numbers it keeps fewer, since it looks at all of them. */
function neighboursOf(numbers: number): Expert {
  const window = Math.min(1_000, Math.floor(expertLimits.neighbourWork / numbers));
  return { predicts: 'neighbours', window };
}

/** One of trees: of samples of many columns it keeps fewer. */
function treesOf(columns: number): Expert {
  const window = Math.min(8_000, Math.floor(expertLimits.treeWork / columns));
  return { predicts: 'trees', window, trees: 60, leaves: 16, rate: 0.2 };
}

/** Whether an expert is to be told how numbers are standardised. */
export function asksForScales(spec: Parameters<typeof followsNumbers>[0]): boolean {
  const { experts } = spec.online;
  return (
    followsNumbers(spec) ||
    (Array.isArray(experts) && experts.some((each) => isOfNeighbours(each) || isOfTrees(each)))
  );
}

/** A kernel machine, of Adagrad's usual rate. */
export const periodicExpert: NetworkExpert = {
  hidden: [],
  rate: 0.1,
  replay: true,
  fourier: { units: 64 },
};

/** Pieces of the line of each number. */
const piecewiseLinear = { bins: 8 };

/** Whether it learns over pieces of numbers; today's defaults have such, those before 0.28 none. */
export function isPiecewise(expert: Expert): boolean {
  return isNetwork(expert) && expert.piecewiseLinear !== undefined;
}

/** Whether it learns over products of numbers; today's defaults have one, those before 0.34 none. */
export function isQuadratic(expert: Expert): boolean {
  return isNetwork(expert) && expert.quadratic !== undefined;
}

/**
 * What decides which experts are of use; what is made of numbers is that of the network which they
 * take after.
 */
export type Sizes = DerivedCounts & {
  /** 0 in a regression. */
  readonly classes: number;
  readonly numbers: number;
  readonly tableRows: number;
  /** Categories that trees look at. */
  readonly treeCategories: number;
  /** Numbers that are predicted of a sample. */
  readonly outputs: number;
  /** Whether means are learnt, or shares: not a quantile. */
  readonly isOfMeans: boolean;
  readonly isOfQuantile: boolean;
};

/**
 * The experts of those who do not want to tune: steady and wide ones that replay, one that follows
 * a drift, one that forgets fast, a quick linear one that forgets slowly and one that does not, and
 * one over random Fourier features where there are few numbers. Their rates are those of Adagrad.
 * The linear ones of second order need none, where there are not too many columns. Where there are
 * few numbers, some see them in pieces, and one their products; and there is a stack of all.
 */
function defaultExperts({
  classes,
  numbers,
  tableRows,
  treeCategories,
  isOfMeans,
  isOfQuantile,
  outputs,
  periodic,
  pieces,
  products,
}: Sizes): Expert[] {
  const isPeriodic = numbers > 0 && numbers <= expertLimits.periodicNumbers;
  const fits = (derived: number) => numbers + derived <= expertLimits.secondOrderInputs;
  const isPieced =
    numbers > 0 &&
    numbers <= expertLimits.piecewiseNumbers &&
    outputs <= expertLimits.stackedOutputs;
  // (Where the network has them, the linear expert of second order takes them from it.)
  const hasProducts = numbers > 0 && numbers <= expertLimits.quadraticNumbers && products === 0;
  const isSecondOrder =
    isOfMeans &&
    outputs <= expertLimits.stackedOutputs &&
    numbers <= expertLimits.secondOrderNumbers &&
    fits(periodic + pieces + products) &&
    tableRows <= expertLimits.secondOrderRows;
  const hasNeighbours =
    isOfMeans &&
    outputs <= expertLimits.stackedOutputs &&
    numbers > 0 &&
    numbers <= expertLimits.neighbourNumbers;
  const treeColumns = numbers + treeCategories;
  const hasTrees =
    (isOfMeans || isOfQuantile) &&
    outputs <= expertLimits.stackedOutputs &&
    treeColumns > 0 &&
    treeColumns <= expertLimits.treeColumns;
  return [
    { hidden: [32], rate: 0.3, replay: true },
    { hidden: [32, 32], rate: 0.3, replay: true },
    followingExpert,
    { hidden: [32], rate: 0.3, halfLife: 16, replay: false },
    forgettingLinearExpert,
    linearExpert,
    ...(isPeriodic ? [periodicExpert] : []),
    ...(isSecondOrder ? [secondOrderExpert] : []),
    ...(isSecondOrder && isPeriodic && fits(64 + pieces + products)
      ? [{ ...secondOrderExpert, fourier: { units: 64 } }]
      : []),
    ...(isPieced
      ? [
          { hidden: [32, 32], rate: 0.3, replay: true, piecewiseLinear },
          { hidden: [32], rate: 0.1, replay: false, piecewiseLinear },
        ]
      : []),
    ...(isSecondOrder && isPieced && fits(periodic + piecewiseLinear.bins * numbers + products)
      ? [{ ...secondOrderExpert, piecewiseLinear }]
      : []),
    ...(isSecondOrder && hasProducts && fits(periodic + pieces + pairCount(numbers))
      ? [{ ...secondOrderExpert, quadratic: {} }]
      : []),
    ...(hasNeighbours ? [neighboursOf(numbers)] : []),
    ...(hasTrees ? [treesOf(treeColumns)] : []),
    { predicts: 'prior' },
    ...(classes <= expertLimits.lastLabelClasses ? [{ predicts: 'lastLabel' as const }] : []),
    ...(isOfMeans && outputs <= expertLimits.stackedOutputs
      ? [{ predicts: 'stack' as const }]
      : []),
  ];
}

/**
 * Those of them that hardly mind in which order labels come: beside a label window, labels come
 * class by class, as somebody clicks, and defaults once nobody did. What follows the latest labels,
 * is told by the last one, or weighs the others by single messages, would learn that order; one
 * that follows slowly stays, since the world changes, too.
 */
function withoutOrder(experts: readonly Expert[]): Expert[] {
  return experts.flatMap((expert): Expert[] => {
    if (expert === followingExpert) return [{ ...followingExpert, rate: 0.05 }];
    const isSteady = isNetwork(expert)
      ? expert.replay || expert.secondOrder === true
      : expert.predicts === 'prior';
    return isSteady ? [expert] : [];
  });
}

type Named = z.output<typeof expertsSchema>;
type Replay = z.output<typeof replaySchema>;

/** What is declared of a network that experts take after. */
export type TakenAfter = Derived & {
  readonly hidden?: readonly number[] | undefined;
  readonly topology?: unknown;
};

/** What a model learns from, and what it says. */
export type Learnt = {
  readonly label: DeclaredLabel;
  readonly features: Readonly<Record<string, Feature>>;
  readonly loss?: string | object | undefined;
  readonly network?: TakenAfter;
};

/** How many columns an expert takes, and what it answers. */
export function sizesOf({ features, label, loss, network = {} }: Learnt): Sizes {
  const declared = Object.values(features);
  const behaviours = declared.map((feature) =>
    behaviourOf(feature, cellsAsWritten, outputCount(label), features),
  );
  return {
    classes: classCount(label) ?? 0,
    numbers: behaviours.reduce((sum, { width }) => sum + width.numbers, 0),
    tableRows: behaviours.reduce(
      (sum, { input }) => sum + (input.kind === 'table' ? input.rows : 0),
      0,
    ),
    treeCategories: behaviours.filter((each, i) => isTreeCategory(declared[i], each)).length,
    outputs: outputCount(label),
    ...derivedCounts(network, { features, label }),
    isOfMeans: typeof loss !== 'object' && loss !== 'huber',
    isOfQuantile: typeof loss === 'object',
  };
}

/** The parts of a spec's `online` that say who learns. */
export type Learners = {
  readonly experts?: Named | undefined;
  readonly replay?: Replay | undefined;
  readonly labelWindow?: object | undefined;
};

/**
 * The experts that a spec names, one by one, and the replay that they need: a later release may
 * have other defaults, and what is stored says what they were.
 */
export function listExperts(
  learnt: Learnt,
  { experts: named, replay, labelWindow }: Learners,
): { experts?: Expert[]; replay?: Replay } {
  if (named === undefined) return replay ? { replay } : {};
  const defaults = () => {
    const all = defaultExperts(sizesOf(learnt));
    return labelWindow === undefined ? all : withoutOrder(all);
  };
  const experts = named === 'default' ? defaults() : named;
  const replays = experts.some((expert) => isNetwork(expert) && expert.replay);
  const needed = replay ?? (replays ? replaySchema.parse({}) : undefined);
  return needed ? { experts, replay: needed } : { experts };
}
