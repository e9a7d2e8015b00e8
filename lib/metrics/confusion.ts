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

/**
 * The figures of a confusion.
 *
 * @param counts rows by the label, columns by the prediction, [classes, classes]
 */
export function confusionFigures(counts: readonly (readonly number[])[]): ConfusionFigures {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const right = counts.map((row, i) => row[i] ?? 0);
  const labels = counts.map(sum);
  const predicted = counts.map((_, i) => sum(counts.map((row) => row[i] ?? 0)));
  const total = sum(labels);
  if (total === 0) return {};
  const recalls = right.flatMap((told, i) => ratio(told, labels[i] ?? 0) ?? []);
  const byChance = sum(labels.map((label, i) => (label * (predicted[i] ?? 0)) / total ** 2));
  const kappa = ratio(sum(right) / total - byChance, 1 - byChance);
  const scores = counts.map((_, i) =>
    ratio(2 * (right[i] ?? 0), (labels[i] ?? 0) + (predicted[i] ?? 0)),
  );
  const known = scores.filter((score) => score !== undefined);
  const f1 = counts.length === 2 ? scores[1] : sum(known) / known.length;
  const isBinary = counts.length === 2;
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
