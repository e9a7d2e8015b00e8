import { addArrays, meansOfRows } from '../arithmetic.ts';
import type { Floats } from '../features/samples.ts';
import type { Task } from '../features/task.ts';
import { labelWidth, outputCount } from '../features/task.ts';
import { lossOf } from '../network/losses.ts';
import type { Prediction } from '../network/prediction.ts';
import type { Spec } from '../spec/spec.ts';

/** Bins of the score histograms: log-odds from −12 to 12, so that rare classes are resolved too. */
export const scoreBins = 2_048;
const largestLogOdds = 12;

/**
 * What predictions earned on samples, as sums that can be added: progressive validation over a
 * stream of any length in constant memory (Gama, Sebastião, Rodrigues 2013).
 */
export type Scores = {
  readonly samples: number;
  /** Σ weight */
  readonly weight: number;
  /** Σ weight · loss */
  readonly loss: number;
  /** Σ weight over the samples whose most probable class was right; 0 in a regression. */
  readonly correct: number;
  /**
   * Binary tasks: weight of the samples by predicted log-odds, [scoreBins]; empty in other tasks.
   */
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
};

/** Labels and weights, [count]. */
export type Labelled = { readonly labels: Floats; readonly weights: Float32Array };

/** The tasks whose predictions are ranked. */
const hasHistogram: Record<Task, boolean> = { regression: false, binary: true, multiclass: false };

/** Whether the most probable class is the label's. */
const isRightIn: Record<Task, (prediction: Prediction, label: number) => boolean> = {
  regression: () => false,
  binary: ({ predictions, row }, label) => Number((predictions[row] ?? 0) > 0.5) === label,
  multiclass: ({ predictions, row, outputs }, label) =>
    argMax(predictions.subarray(row * outputs, (row + 1) * outputs)) === label,
};

/** Whether the most probable class of a prediction is the label's; never in a regression. */
export function isRight({ task }: Spec, prediction: Prediction, label: number): boolean {
  return isRightIn[task](prediction, label);
}

/** The scores of no samples. */
export function emptyScores(spec: Spec): Scores {
  const bins = hasHistogram[spec.task] ? scoreBins : 0;
  return {
    samples: 0,
    weight: 0,
    loss: 0,
    correct: 0,
    positives: new Float64Array(bins),
    negatives: new Float64Array(bins),
  };
}

/**
 * The scores of predictions, [count, outputs], on labels and weights, [count].
 */
export function score(spec: Spec, predictions: Floats, samples: Labelled): Scores {
  const losses = lossesOf(spec, predictions, samples.labels);
  const outputs = outputCount(spec.label);
  const { positives, negatives } = emptyScores(spec);
  let weightSum = 0;
  let loss = 0;
  let correct = 0;
  losses.forEach((sampleLoss, row) => {
    const weight = samples.weights[row] ?? 0;
    const label = samples.labels[row] ?? 0;
    weightSum += weight;
    loss += weight * sampleLoss;
    if (isRight(spec, { predictions, row, outputs }, label)) correct += weight;
    if (positives.length > 0) {
      const histogram = label === 1 ? positives : negatives;
      const bin = binOf(predictions[row] ?? 0);
      histogram[bin] = (histogram[bin] ?? 0) + weight;
    }
  });
  return { samples: losses.length, weight: weightSum, loss, correct, positives, negatives };
}

/**
 * The loss of each sample from its predictions, in float64; [count]. Of several outputs it is the
 * mean of theirs.
 *
 * @param predictions values or probabilities, [count, outputs]
 */
export function lossesOf(spec: Spec, predictions: Floats, labels: Floats): Float64Array {
  const { ofPrediction } = lossOf(spec);
  const width = labelWidth(spec.label);
  const outputs = outputCount(spec.label) / width;
  const losses = Float64Array.from(labels, (label, row) =>
    ofPrediction({ predictions, row, outputs }, label),
  );
  return meansOfRows(losses, width);
}

/** The scores of both sets of samples together. */
export function addScores(a: Scores, b: Scores): Scores {
  return {
    samples: a.samples + b.samples,
    weight: a.weight + b.weight,
    loss: a.loss + b.loss,
    correct: a.correct + b.correct,
    positives: addArrays(a.positives, b.positives),
    negatives: addArrays(a.negatives, b.negatives),
  };
}

/**
 * Σ weight · loss of somebody who says the same of all samples of a regression.
 *
 * @param values of each output
 * @param before the sum that it is added to
 */
export function lossOfConstant(
  spec: Spec,
  values: Floats,
  { labels, weights }: Labelled,
  before = 0,
): number {
  const { ofPrediction } = lossOf(spec);
  const width = labelWidth(spec.label);
  let sum = before;
  labels.forEach((label, i) => {
    const weight = (weights[Math.floor(i / width)] ?? 0) / width;
    sum += weight * ofPrediction({ predictions: values, row: i % width, outputs: 1 }, label);
  });
  return sum;
}

/** The weighted mean loss (log loss in classification); NaN without samples. */
export function meanLoss(scores: Scores): number {
  return scores.loss / scores.weight;
}

/**
 * The area under the ROC curve: the probability that a positive sample scores above a negative one,
 * ties counting half (Hanley and McNeil 1982), from histograms. NaN unless both classes were seen.
 */
export function areaUnderCurve({
  positives,
  negatives,
}: Pick<Scores, 'positives' | 'negatives'>): number {
  let below = 0;
  let ordered = 0;
  positives.forEach((positive, bin) => {
    const negative = negatives[bin] ?? 0;
    ordered += positive * (below + negative / 2);
    below += negative;
  });
  return ordered / (below * positives.reduce((sum, weight) => sum + weight, 0));
}

/**
 * How far that area may be from the one of single predictions: those in one bin are taken for
 * alike. Half the share of pairs of a true and a false label that lie in the same bin.
 */
function areaError({ positives, negatives }: Pick<Scores, 'positives' | 'negatives'>): number {
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const tied = positives.map((each, bin) => each * (negatives[bin] ?? 0));
  return sum(tied) / 2 / (sum(positives) * sum(negatives));
}

/** The area under the ROC curve. */
export type AreaFigures = {
  readonly areaUnderCurve?: number;
  /** How far it may be from what single predictions would give: those of a bin are alike. */
  readonly areaError?: number;
};

/** What histograms of predictions say of their order; nothing unless both labels came. */
export function areaFigures({
  positives,
  negatives,
}: Pick<Scores, 'positives' | 'negatives'>): AreaFigures {
  const curve = areaUnderCurve({ positives, negatives });
  if (!Number.isFinite(curve)) return {};
  return { areaUnderCurve: curve, areaError: areaError({ positives, negatives }) };
}

/** The bin of a probability, see {@link scoreBins}; or out of `bins`. */
export function binOf(probability: number, bins = scoreBins): number {
  const logOdds = Math.log(probability / (1 - probability));
  const position = ((logOdds + largestLogOdds) / (2 * largestLogOdds)) * bins;
  return Math.min(bins - 1, Math.max(0, Math.floor(position)));
}

function argMax(values: Floats): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
}
