import { cellsAsWritten } from '../features/cells.ts';
import { behaviourOf, type Feature } from '../features/kinds.ts';
import { classCount, type DeclaredLabel, outputCount } from '../features/task.ts';
import { type Derived, type DerivedCounts, derivedCounts } from './derived-numbers.ts';
import { isSparse } from './sparse.ts';
import { isOfTreeNumbers, isTreeCategory } from './tree-columns.ts';

/**
 * What decides which experts are of use; what is made of numbers is that of the network which they
 * take after.
 */
export type Sizes = DerivedCounts & {
  /** 0 in a regression. */
  readonly classes: number;
  readonly numbers: number;
  /** Those of them that are of long texts; see {@link isSparse}. */
  readonly sparse: number;
  readonly tableRows: number;
  /** Numbers and categories that trees look at. */
  readonly treeNumbers: number;
  readonly treeCategories: number;
  /** Numbers that are predicted of a sample. */
  readonly outputs: number;
  /** Whether means are learnt, or shares: not a quantile. */
  readonly isOfMeans: boolean;
  readonly isOfQuantile: boolean;
};

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
  const numbersOf = (isOne: (feature: Feature) => boolean) =>
    declared.reduce(
      (sum, feature, i) => sum + (isOne(feature) ? (behaviours[i]?.width.numbers ?? 0) : 0),
      0,
    );
  return {
    classes: classCount(label) ?? 0,
    numbers: numbersOf(() => true),
    sparse: numbersOf(isSparse),
    tableRows: behaviours.reduce(
      (sum, { input }) => sum + (input.kind === 'table' ? input.rows : 0),
      0,
    ),
    treeNumbers: numbersOf(isOfTreeNumbers),
    treeCategories: behaviours.filter((each, i) => isTreeCategory(declared[i], each)).length,
    outputs: outputCount(label),
    ...derivedCounts(network, { features, label }),
    isOfMeans: typeof loss !== 'object' && loss !== 'huber',
    isOfQuantile: typeof loss === 'object',
  };
}
