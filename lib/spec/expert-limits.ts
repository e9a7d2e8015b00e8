/** What decides which experts a model has that nobody tuned, and how large any may be. */
export const expertLimits = {
  /** Numbers up to which a model that nobody tuned has experts over Fourier features; pieces. */
  periodicNumbers: 64,
  piecewiseNumbers: 24,
  /** Numbers up to which it has one over their products, and of how many those may be taken. */
  quadraticNumbers: 24,
  multipliedNumbers: 30,
  /** The same of linear experts of second order, which keep a number for each pair; and rows. */
  secondOrderNumbers: 320,
  /** Buckets of a text up to which those learn its numbers in pairs, not each by itself. */
  denseBuckets: 256,
  secondOrderRows: 16_384,
  /** Rows of tables up to which those that nobody tuned are over what is made of numbers, too. */
  derivedRows: 4_096,
  /** Weights of more rows up to which a model that nobody tuned has one of second order. */
  rowWeights: 262_144,
  /** Numbers up to which it has one of neighbours, and all that this keeps. */
  neighbourNumbers: 64,
  neighbourWork: 32_000,
  /**
   * Numbers and categories up to which it has one of trees, all values that this keeps, and the
   * values of a category that it looks at; and the leaves that any may have, of each output.
   */
  treeColumns: 64,
  treeWork: 64_000,
  treeCategoryRows: 1_024,
  treeLeaves: 1_048_576,
  /** Values of samples that experts of neighbours may keep, and those of trees. */
  keptCells: 1_048_576,
  /** Outputs up to which it has those, and a stack. */
  stackedOutputs: 64,
  /** Numbers, Fourier units, pieces and products of any of second order. */
  secondOrderInputs: 512,
  /** What all experts answer for one row. */
  expertOutputs: 14_000,
  /** Classes of which a state knows what follows each. */
  lastLabelClasses: 64,
} as const;
