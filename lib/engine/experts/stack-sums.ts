/** What a stack learns from samples: sums that can be added. */
export type StackSums = {
  /** Of each of the others, [others]. */
  readonly gradient: Float64Array;
  /** Of each pair, [others, others]. */
  readonly curvature: Float64Array;
  /** Of a regression, Σ of its squared errors, times the square of {@link unit}. */
  readonly squares: number;
  /** What differences of labels are times. */
  readonly unit: number;
};
