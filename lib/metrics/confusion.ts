/** What a confusion says beside its accuracy; each is absent where nothing can be said. */
export type ConfusionFigures = {
  /** The mean of what was told of each class that is among the labels. */
  readonly balancedAccuracy?: number;
  /** How much more than chance was right (Cohen 1960). */
  readonly cohensKappa?: number;
  /** Of two classes that of the second, of more their mean. */
  readonly f1?: number;
  /** Of two classes, the second. */
  readonly precision?: number;
  readonly recall?: number;
  /** What would be right by saying the commonest label always. */
  readonly accuracyOfCommonestLabel?: number;
};

/** How much each class weighed among labels, among predictions, and where both agree; [classes]. */
export type ClassSums = {
  readonly labels: Float64Array;
  readonly predicted: Float64Array;
  readonly right: Float64Array;
};

/** The figures of a confusion, from the sums of its rows and columns and its diagonal. */
export function confusionFigures({ labels, predicted, right }: ClassSums): ConfusionFigures {
  const sum = (values: Iterable<number>) => {
    let total = 0;
    for (const value of values) total += value;
    return total;
  };
  const total = sum(labels);
  if (total === 0) return {};
  const classes = Array.from(labels.keys());
  const recalls = classes.flatMap((i) => ratio(right[i] ?? 0, labels[i] ?? 0) ?? []);
  const byChance = sum(labels.map((label, i) => (label * (predicted[i] ?? 0)) / total ** 2));
  const beyond = sum(right) / total - byChance;
  // (What always says the same has no more than chance, but for rounding.)
  const kappa = ratio(Math.abs(beyond) < 1e-12 ? 0 : beyond, 1 - byChance);
  const scores = classes.map((i) =>
    ratio(2 * (right[i] ?? 0), (labels[i] ?? 0) + (predicted[i] ?? 0)),
  );
  const known = scores.filter((score) => score !== undefined);
  const isBinary = classes.length === 2;
  const f1 = isBinary ? scores[1] : sum(known) / known.length;
  const precision = isBinary ? ratio(right[1] ?? 0, predicted[1] ?? 0) : undefined;
  const recall = isBinary ? ratio(right[1] ?? 0, labels[1] ?? 0) : undefined;
  return {
    balancedAccuracy: sum(recalls) / recalls.length,
    ...(kappa === undefined ? {} : { cohensKappa: kappa }),
    ...(f1 === undefined ? {} : { f1 }),
    ...(precision === undefined ? {} : { precision }),
    ...(recall === undefined ? {} : { recall }),
    accuracyOfCommonestLabel: Math.max(...labels) / total,
  };
}

function ratio(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}
