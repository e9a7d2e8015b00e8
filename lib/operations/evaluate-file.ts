import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteSource } from '../datasets/byte-source.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { classNames } from '../features/class-weights.ts';
import type { Floats } from '../features/samples.ts';
import { type ConfusionFigures, confusionFigures } from '../metrics/confusion.ts';
import { addScores, areaUnderCurve, emptyScores, meanLoss, score } from '../metrics/scores.ts';
import { type Predictor, predict } from '../model/predict.ts';
import type { Spec } from '../spec/spec.ts';
import type { Parameters } from '../state/state.ts';

/** How a model does on labelled samples. */
export type Evaluation = ConfusionFigures & {
  readonly samples: number;
  /** Samples that could not be read or encoded. */
  readonly refused: number;
  /** Why the first of them was. */
  readonly firstRefusal?: string;
  /** In the unit of the spec's loss. */
  readonly loss: number;
  readonly accuracy?: number;
  /** What would be right by saying the label of the row before. */
  readonly accuracyOfLastLabel?: number;
  readonly areaUnderCurve?: number;
  /** Rows by the label, columns by the prediction; as `classes` names them. */
  readonly confusion?: {
    readonly classes: readonly string[];
    readonly counts: readonly (readonly number[])[];
  };
  /** Regressions, in the label's unit; R² against the mean of these labels. */
  readonly meanAbsoluteError?: number;
  readonly rootMeanSquaredError?: number;
  readonly rSquared?: number;
};

/** Predicts a file's labelled samples, and holds the predictions against the labels. */
export async function evaluateFile(
  model: Predictor,
  parameters: Parameters,
  file: { readonly name: string; readonly bytes: ByteSource },
  onSamples: (samples: number) => void = () => undefined,
): Promise<Evaluation> {
  const { spec } = model;
  const classes = classNames(spec);
  const counts = classes.map(() => classes.map(() => 0));
  const errors = createErrors();
  let scores = emptyScores(spec);
  let refused = 0;
  let firstRefusal: string | undefined;
  let last: number | undefined;
  let repeated = 0;
  for await (const { samples, bad, placeOf } of readSamples(spec, file)) {
    const encoding = model.encoder.encode(samples);
    const [one] = encoding.refused;
    if (one) firstRefusal ??= `line ${placeOf(one.index).line}, ${one.field}: ${one.reason}`;
    if (bad[0]) firstRefusal ??= `line ${bad[0].line}: ${bad[0].reason}`;
    refused += encoding.refused.length + bad.length;
    const { samples: encoded } = encoding;
    const predictions = await predict(model, parameters, encoded);
    scores = addScores(scores, score(spec, predictions, encoded));
    onSamples(scores.samples);
    // Nothing is waited for here; whoever wants to stop must be heard.
    await nextTurn();
    for (const [row, label] of encoded.labels.entries()) {
      if (spec.task === 'regression') errors.add(label, predictions[row] ?? 0);
      if (label === last) repeated += encoded.weights[row] ?? 0;
      last = label;
      const counted = counts[label];
      const predicted = classOf(spec, predictions, row);
      if (counted !== undefined) counted[predicted] = (counted[predicted] ?? 0) + 1;
    }
  }
  const curve = areaUnderCurve(scores);
  return {
    samples: scores.samples,
    refused,
    ...(firstRefusal === undefined ? {} : { firstRefusal }),
    loss: meanLoss(scores),
    ...(spec.task === 'regression'
      ? errors.finish()
      : {
          accuracy: scores.correct / scores.weight,
          accuracyOfLastLabel: repeated / scores.weight,
          ...confusionFigures(counts),
          confusion: { classes, counts },
        }),
    ...(Number.isFinite(curve) ? { areaUnderCurve: curve } : {}),
  };
}

/** The class that a row of predictions, [count, outputs], names. */
function classOf(
  { task, label: { classes = [] } }: Spec,
  predictions: Floats,
  row: number,
): number {
  if (task === 'binary') return Number((predictions[row] ?? 0) > 0.5);
  const own = predictions.subarray(row * classes.length, (row + 1) * classes.length);
  return own.indexOf(Math.max(...own));
}

/** Sums of a regression's errors. */
function createErrors() {
  const sums = { count: 0, absolute: 0, squared: 0, mean: 0, deviations: 0 };
  return {
    add(label: number, prediction: number) {
      const error = prediction - label;
      sums.count += 1;
      sums.absolute += Math.abs(error);
      sums.squared += error * error;
      const delta = label - sums.mean;
      sums.mean += delta / sums.count;
      sums.deviations += delta * (label - sums.mean);
    },
    finish: () => ({
      meanAbsoluteError: sums.absolute / sums.count,
      rootMeanSquaredError: Math.sqrt(sums.squared / sums.count),
      ...(sums.deviations > 0 ? { rSquared: 1 - sums.squared / sums.deviations } : {}),
    }),
  };
}
