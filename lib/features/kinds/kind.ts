import * as z from 'zod';
import { limits } from '../../limits.ts';
import type { Accepted, Refused } from '../../refusal.ts';
import type { EncodedSamples, LagTable, TargetTable, VocabularyTable } from '../samples.ts';
import type { SpreadKind } from '../spread.ts';

/** The name of a column in a dataset, as its file has it. */
export const columnName = z.string().min(1).max(limits.categoryCharacters);

/** After how many samples one counts half in the statistics of a column. */
export const halfLifeSchema = z.number().min(1).max(1e9);

/** Stands for missing numbers whose means are not known yet: no cell is it. */
export const unknownMean = Symbol('the mean so far');

/** How many columns of an encoded row a feature takes. */
export type Width = { readonly numbers: number; readonly categories: number };

/** The first columns of a feature, and the widths of a whole row. */
export type Offsets = {
  readonly numberOffset: number;
  readonly categoryOffset: number;
  readonly row: Width;
};

/** Writes a value into its columns of a row, or says why it cannot. */
export type WriteValue = (value: unknown, into: EncodedSamples, row: number) => Accepted | Refused;

/** How the network of hidden layers takes a feature in. */
export type FeatureInput =
  | { readonly kind: 'numbers' }
  /** An embedding: each index has a row of its table. */
  | { readonly kind: 'table'; readonly rows: number; readonly dimensions: number };

/** What the rest of Millrace needs to know of a declared feature, whatever its kind. */
export type FeatureBehaviour = {
  readonly width: Width;
  /** Whether its number columns are standardised by their running mean and variance. */
  readonly isStandardized: boolean;
  /** Whether a number out of all proportion to others would be all that is seen of them. */
  readonly isJudged?: boolean;
  /** By what they are scaled instead. */
  readonly spread?: SpreadKind | undefined;
  /** After so many samples a sample counts half in them; never unless given. */
  readonly halfLife?: number | undefined;
  /** Made once for each spec. */
  readonly writer: (offsets: Offsets) => WriteValue;
  /** The value of a cell as features see it that are taken from this one; the cell unless given. */
  readonly asSource?: (cell: unknown) => unknown;
  /**
   * The features that it takes its values from, where it has none of its own; their texts are what
   * is written.
   */
  readonly of?: readonly string[];
  /** How it learns the mean label of its values, where it is one. */
  readonly target?: TargetTable;
  /** Which of its values get rows of its table, where the state says it. */
  readonly vocabulary?: VocabularyTable;
  /** How it keeps the last values of samples, where it is made of them. */
  readonly lag?: LagTable & {
    readonly steps: readonly number[];
    readonly outputs: number;
    /** The feature whose values they are; the label's unless given. */
    readonly sourceName?: string | undefined;
  };
  /** Which of its numbers are of points on a circle of size 1; none unless given. */
  readonly circular?: readonly boolean[];
  /** How many of its numbers, the first, may be not known: NaN stands for them. */
  readonly nullableColumns?: number;
  /** What stands for a missing value; a sample without one is refused unless given. */
  readonly missing?: unknown;
  /** Whether a cell is one of the declared values, whatever words stand for a missing one. */
  readonly knows?: (cell: unknown) => boolean;
  /** The index that stands for all unknown values, if there is one: they are counted. */
  readonly unknownIndex?: number;
  /** The value of a dataset's cell, for models of releases before 0.3; later ones read all cells alike. */
  readonly readCell: (cell: unknown) => unknown;
  readonly input: FeatureInput;
};
