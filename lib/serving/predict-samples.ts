import { classNames, type KnownClasses } from '../features/class-weights.ts';
import type { Refusal } from '../features/encoder.ts';
import type { Floats } from '../features/samples.ts';
import { outputCount } from '../features/task.ts';
import { type Predictor, predict } from '../model/predict.ts';
import type { Spec } from '../spec/spec.ts';
import type { Parameters } from '../state/state.ts';

/** What a model answers for one sample: by its task, or why it cannot answer. */
export type SamplePrediction =
  /** A regression: in the label's own unit. */
  | { readonly value: number }
  /** One of several outputs: the same of each. */
  | { readonly values: Readonly<Record<string, number>> }
  /** A binary task: of true. */
  | { readonly probability: number }
  /**
   * A multiclass task: the most probable class, and the probability of each. Where classes get
   * places as they come, what is missing from 1 is that of one which has not come yet; null before
   * the first.
   */
  | { readonly class: string | null; readonly probabilities: Readonly<Record<string, number>> }
  | { readonly refused: Omit<Refusal, 'index'> };

/** Predictions of some samples, in their order. */
export type SamplePredictions = {
  readonly predictions: readonly SamplePrediction[];
  /** By feature, how many of the predicted samples have a value that the spec does not know. */
  readonly unknown: Readonly<Record<string, number>>;
};

/**
 * Predicts raw samples. One that cannot be encoded has its reason in its place; the others are
 * answered.
 */
export async function predictSamples(
  model: Predictor,
  parameters: Parameters,
  samples: readonly unknown[],
): Promise<SamplePredictions> {
  const encoding = model.encoder.encodeFeatures(samples);
  const values = await predict(model, parameters, encoding.samples);
  const answer = answerOf(model.spec, values, parameters.statistics);
  const predictions: SamplePrediction[] = [];
  encoding.accepted.forEach((place, row) => {
    predictions[place] = answer(row);
  });
  for (const { index, ...refused } of encoding.refused) predictions[index] = { refused };
  return { predictions, unknown: encoding.unknown };
}

/** What a row of predictions, [count, outputs], says. JSON has no number that is not finite. */
function answerOf(spec: Spec, values: Floats, statistics: KnownClasses) {
  const { task, label } = spec;
  const classes = classNames(spec, statistics);
  const outputs = outputCount(label);
  return (row: number): SamplePrediction => {
    const own = values.subarray(row * outputs, (row + 1) * outputs);
    const [first = Number.NaN] = own;
    if (!own.every(Number.isFinite)) return { refused: notFinite };
    if (label.outputs !== undefined) return { values: named(label.outputs, own) };
    if (task === 'regression') return { value: first };
    if (task === 'binary') return { probability: first };
    // Where classes get places as they come, the others are of classes that nobody has seen.
    const known = own.subarray(0, classes.length);
    const best = known.indexOf(Math.max(...known));
    return {
      class: classes[best] ?? null,
      probabilities: named(classes, own),
    };
  };
}

function named(names: readonly string[], values: Floats): Readonly<Record<string, number>> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? 0]));
}

const notFinite = {
  field: 'features',
  code: 'not-finite',
  reason:
    'what the model predicts for it is not finite; look for numbers that are too large, or, where ' +
    'it is so of all samples, for weights that are: a rollback brings back those before',
} as const;
