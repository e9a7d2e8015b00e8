import { classNames } from '../features/class-weights.ts';
import type { Floats } from '../features/samples.ts';
import { classCount } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { type ConfusionFigures, confusionFigures } from './confusion.ts';
import { addScores, areaUnderCurve, emptyScores, meanLoss, score } from './scores.ts';

/** What predictions come to, held against labels. What nothing can be said of is absent. */
export type Figures = ConfusionFigures & {
  /** In the unit of the spec's loss. */
  readonly loss: number;
  readonly accuracy?: number;
  readonly areaUnderCurve?: number;
  /**
   * How far the share of what was right is from what was promised, the mean over ten bins of
   * probabilities (Naeini et al. 2015): of two classes of the second, of more of the one that is
   * named.
   */
  readonly calibrationError?: number;
  /** Regressions, in the label's unit; R² against the mean of these labels. */
  readonly meanAbsoluteError?: number;
  readonly rootMeanSquaredError?: number;
  readonly rSquared?: number;
  /** Rows by the label, columns by the prediction; as `classes` names them. */
  readonly confusion?: {
    readonly classes: readonly string[];
    readonly counts: readonly (readonly number[])[];
  };
};

/** Labels and weights, [count]. */
type Labelled = { readonly labels: Floats; readonly weights: Float32Array };

/** Figures that grow with each block of predictions. */
export type FigureSums = {
  /** @param predictions [count, outputs] */
  readonly add: (predictions: Floats, samples: Labelled) => void;
  readonly samples: () => number;
  readonly finish: () => Figures;
};

/**
 * The figures of no predictions.
 *
 * @param names the classes that have places, where they get them as they come
 */
export function createFigures(spec: Spec, names?: readonly string[]): FigureSums {
  const classes = classNames(spec, names && { classNames: names });
  const counts = classes.map(() => classes.map(() => 0));
  const errors = createErrors();
  const calibration = createCalibration();
  let scores = emptyScores(spec);
  const addRow = (predictions: Floats, row: number, label: number) => {
    if (spec.task === 'regression') return errors.add(label, predictions[row] ?? 0);
    const { named, probability } = namedBy(spec, predictions, row);
    const counted = counts[label];
    if (counted?.[named] !== undefined) counted[named] = (counted[named] ?? 0) + 1;
    const isSo = spec.task === 'binary' ? label === 1 : label === named;
    return calibration.add(probability, isSo);
  };
  return {
    add(predictions, samples) {
      scores = addScores(scores, score(spec, predictions, samples));
      samples.labels.forEach((label, row) => void addRow(predictions, row, label));
    },
    samples: () => scores.samples,
    finish() {
      const curve = areaUnderCurve(scores);
      const isEmpty = scores.samples === 0;
      return {
        loss: meanLoss(scores),
        ...(spec.task === 'regression'
          ? errors.finish()
          : {
              accuracy: scores.correct / scores.weight,
              ...confusionFigures(counts),
              ...(isEmpty ? {} : { calibrationError: calibration.finish() }),
              confusion: { classes, counts },
            }),
        ...(Number.isFinite(curve) ? { areaUnderCurve: curve } : {}),
      };
    },
  };
}

/** The figures of some predictions, [count, outputs]. */
export function figuresOf(
  spec: Spec,
  predictions: Floats,
  samples: Labelled,
  names?: readonly string[],
): Figures {
  const figures = createFigures(spec, names);
  figures.add(predictions, samples);
  return figures.finish();
}

/** Figures as JSON can hold them: without those that are no number. */
export function finiteFigures({ confusion, ...figures }: Figures): Figures {
  const known = Object.entries(figures).filter(([, value]) => Number.isFinite(value));
  return { loss: figures.loss, ...Object.fromEntries(known), ...(confusion && { confusion }) };
}

/** The class that a row of predictions names, and the probability of what is counted as so. */
function namedBy(
  { task, label }: Spec,
  predictions: Floats,
  row: number,
): { readonly named: number; readonly probability: number } {
  if (task === 'binary') {
    const probability = predictions[row] ?? 0;
    return { named: Number(probability > 0.5), probability };
  }
  const outputs = classCount(label) ?? 1;
  const own = predictions.subarray(row * outputs, (row + 1) * outputs);
  const probability = Math.max(...own);
  return { named: own.indexOf(probability), probability };
}

const bins = 10;

/** Sums of what was promised and of what was so, by what was promised. */
function createCalibration() {
  const promised = new Float64Array(bins);
  const so = new Float64Array(bins);
  let count = 0;
  return {
    add(probability: number, isSo: boolean) {
      const bin = Math.min(bins - 1, Math.max(0, Math.floor(probability * bins)));
      promised[bin] = (promised[bin] ?? 0) + probability;
      so[bin] = (so[bin] ?? 0) + Number(isSo);
      count += 1;
    },
    finish: () => promised.reduce((sum, each, i) => sum + Math.abs(each - (so[i] ?? 0)), 0) / count,
  };
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
