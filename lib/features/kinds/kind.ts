import type { Accepted, Refused } from '../../refusal.ts';
import type { EncodedSamples } from '../samples.ts';

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
  /** Made once for each spec. */
  readonly writer: (offsets: Offsets) => WriteValue;
  /**
   * The value of a dataset's cell. A cell that cannot be read as a value is left unchanged, and
   * refused later.
   */
  readonly readCell: (cell: unknown) => unknown;
  readonly input: FeatureInput;
};
