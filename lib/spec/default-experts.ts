import type * as z from 'zod';
import { pairCount } from './derived-numbers.ts';
import { expertLimits } from './expert-limits.ts';
import { type Learnt, type Sizes, sizesOf } from './expert-sizes.ts';
import {
  type Expert,
  type expertsSchema,
  isNetwork,
  isOfNeighbours,
  isOfTrees,
  type NetworkExpert,
  replaySchema,
} from './experts-schema.ts';

/** A network that goes on with the latest samples. */
const followingExpert: NetworkExpert = { hidden: [32], rate: 0.1, replay: false };

/** A network of what is relative to the last samples. */
const relativeExpert: NetworkExpert = { hidden: [32], rate: 0.3, halfLife: 16, replay: false };

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

/** Networks that see numbers as they are. */
const networks: readonly Expert[] = [
  { hidden: [32], rate: 0.3, replay: true },
  { hidden: [32, 32], rate: 0.3, replay: true },
  followingExpert,
  relativeExpert,
  forgettingLinearExpert,
  linearExpert,
];

/**
 * Those of them that stand beside one of second order over a long text, whose words say nearly all
 * that it makes of them: more would cost much and add little.
 */
const besideWords: readonly Expert[] = [relativeExpert, forgettingLinearExpert];

/**
 * The experts of those who do not want to tune: steady and wide ones that replay, one that follows
 * a drift, one that forgets fast, a quick linear one that forgets slowly and one that does not, and
 * one over random Fourier features where there are few numbers. Their rates are those of Adagrad.
 * The linear ones of second order need none, where there are not too many columns, but for the
 * words of long texts, of which a sample has few. Where there are few numbers, some see them in
 * pieces, and one their products; and there is a stack of all.
 */
function defaultExperts({
  classes,
  numbers,
  sparse,
  tableRows,
  treeNumbers,
  treeCategories,
  isOfMeans,
  isOfQuantile,
  outputs,
  periodic,
  pieces,
  products,
}: Sizes): Expert[] {
  const isPeriodic = numbers > 0 && numbers <= expertLimits.periodicNumbers;
  const dense = numbers - sparse;
  const fits = (derived: number) => dense + derived <= expertLimits.secondOrderInputs;
  const isPieced =
    numbers > 0 &&
    numbers <= expertLimits.piecewiseNumbers &&
    outputs <= expertLimits.stackedOutputs;
  // (Where the network has them, the linear expert of second order takes them from it.)
  const hasProducts = numbers > 0 && numbers <= expertLimits.quadraticNumbers && products === 0;
  const hasFewRows = tableRows <= expertLimits.derivedRows;
  const isSecondOrder =
    isOfMeans &&
    outputs <= expertLimits.stackedOutputs &&
    dense <= expertLimits.secondOrderNumbers &&
    fits(periodic + pieces + products) &&
    tableRows <= expertLimits.secondOrderRows &&
    (hasFewRows || tableRows * outputs <= expertLimits.rowWeights);
  // (Of many values, what is made of numbers adds little to what those say.)
  const hasDerived = isSecondOrder && hasFewRows;
  const hasNeighbours =
    isOfMeans &&
    outputs <= expertLimits.stackedOutputs &&
    numbers > 0 &&
    numbers <= expertLimits.neighbourNumbers;
  const treeColumns = treeNumbers + treeCategories;
  const hasTrees =
    (isOfMeans || isOfQuantile) &&
    outputs <= expertLimits.stackedOutputs &&
    treeColumns > 0 &&
    treeColumns <= expertLimits.treeColumns;
  return [
    ...(isSecondOrder && sparse > 0 ? besideWords : networks),
    ...(isPeriodic ? [periodicExpert] : []),
    ...(isSecondOrder ? [secondOrderExpert] : []),
    ...(hasDerived && isPeriodic && fits(64 + pieces + products)
      ? [{ ...secondOrderExpert, fourier: { units: 64 } }]
      : []),
    ...(isPieced
      ? [
          { hidden: [32, 32], rate: 0.3, replay: true, piecewiseLinear },
          { hidden: [32], rate: 0.1, replay: false, piecewiseLinear },
        ]
      : []),
    ...(hasDerived && isPieced && fits(periodic + piecewiseLinear.bins * numbers + products)
      ? [{ ...secondOrderExpert, piecewiseLinear }]
      : []),
    ...(hasDerived && hasProducts && fits(periodic + pieces + pairCount(numbers))
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
  const defaults = () => defaultsOf(sizesOf(learnt), labelWindow);
  const experts = named === 'default' ? defaults() : named;
  const replays = experts.some((expert) => isNetwork(expert) && expert.replay);
  const needed = replay ?? (replays ? replaySchema.parse({}) : undefined);
  return needed ? { experts, replay: needed } : { experts };
}

function defaultsOf(sizes: Sizes, labelWindow: object | undefined): Expert[] {
  const all = defaultExperts(sizes);
  return labelWindow === undefined ? all : withoutOrder(all);
}

/**
 * The default experts of releases before 0.41, to which words of texts were any numbers, and which
 * had none of second order over more than 4,096 rows of categories, or over products of more than
 * 16 numbers.
 */
export function defaultsBefore41(learnt: Learnt, labelWindow: object | undefined): Expert[] {
  const own = sizesOf(learnt);
  const sizes = { ...own, sparse: 0, treeNumbers: own.numbers };
  const all = defaultsOf(sizes, labelWindow);
  const hasManyRows = sizes.tableRows > expertLimits.derivedRows;
  const isSince = (expert: Expert) =>
    (hasManyRows && isNetwork(expert) && expert.secondOrder === true) ||
    (sizes.numbers > 16 && isQuadratic(expert));
  return all.filter((expert) => !isSince(expert));
}
