import { addArrays, decayOf, wholePower } from '../arithmetic.ts';
import type { Floats } from '../features/samples.ts';
import { classCount, type DeclaredLabel, labelWidth, outputCount } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { areaOfClasses, type ClassRanks, classRanksAfter, emptyClassRanks } from './class-ranks.ts';
import { type ConfusionFigures, confusionFigures } from './confusion.ts';
import { latelySamples } from './lately.ts';
import { type AreaFigures, areaFigures, type Labelled, type Scores, scoreBins } from './scores.ts';

/** How predictions turned out, in sums that can be added, and fade. */
export type Outcomes = {
  /** Σ weight of each class among labels, predictions, and both at once, [3, classes]. */
  readonly classes: Float64Array;
  /**
   * Of ten bins of probabilities, Σ weight of what was promised, and of what came true, [2, bins]:
   * of two classes that of the second, of more that of the one that was named.
   */
  readonly calibration: Float64Array;
  /** Of a regression, Σ weight · |error| and Σ weight · error², of each output, [outputs, 2]. */
  readonly errors: Float64Array;
};

/** Of the whole stream, and of its last samples: one counts half after a thousand others. */
export type OutcomesOverTime = { readonly soFar: Outcomes; readonly lately: Outcomes };

/** Those that anybody has for nothing: the labels' mean or shares, and the last label again. */
export const rivals = ['prior', 'lastLabel'] as const;
/** One of them. */
export type Rival = (typeof rivals)[number];

/** How a model's predictions turned out, and those of its rivals on the same samples. */
export type StreamOutcomes = OutcomesOverTime & {
  /** Of specs since revision 9. */
  readonly rivals?: Readonly<Record<Rival, OutcomesOverTime>>;
  /**
   * Of a binary task lately, Σ weight of true and of false labels by predicted log-odds, [2,
   * rankBins]; those of the whole stream are in its scores.
   */
  readonly ranks: Float64Array;
  /** Of few classes, since revision 11. */
  readonly classRanks?: ClassRanks;
};

/** The parts of {@link Outcomes}. */
export const outcomeParts = ['classes', 'calibration', 'errors'] as const;

const bins = 10;
/** As many of the scores' bins are one here. */
const binsOfRank = 8;
const rankBins = scoreBins / binsOfRank;

/** The outcomes of no predictions. */
export function emptyOutcomes({ task, label }: Spec): Outcomes {
  const classes = { regression: 0, binary: 2, multiclass: classCount(label) ?? 0 }[task];
  return {
    classes: new Float64Array(3 * classes),
    calibration: new Float64Array(task === 'regression' ? 0 : 2 * bins),
    errors: new Float64Array(task === 'regression' ? 2 * labelWidth(label) : 0),
  };
}

/** The outcomes of a stream before its first sample. */
export function noOutcomes(spec: Spec): StreamOutcomes {
  const empty = emptyOutcomes(spec);
  const ranks = new Float64Array(spec.task === 'binary' ? 2 * rankBins : 0);
  const own = { soFar: empty, lately: empty };
  const { revision = 0 } = spec;
  const classRanks = emptyClassRanks(spec);
  return {
    ...own,
    ranks,
    ...(classRanks && { classRanks }),
    ...(revision >= 9 && { rivals: { prior: own, lastLabel: own } }),
  };
}

/** The outcomes of predictions, [count, outputs]. */
export function outcomesOf(spec: Spec, predictions: Floats, samples: Labelled): Outcomes {
  return outcomesOfSaid(spec, samples, {
    valueAt: (place) => predictions[place] ?? 0,
    classAt: (row) => namedBy(spec, predictions, row),
  });
}

/** What is said of each number of a label, [count, width], or of the class of each row. */
export type Said = {
  readonly valueAt: (place: number) => number;
  readonly classAt: (row: number) => Named;
};

/**
 * The outcomes of what somebody says. A sample of a class that has no place counts in none of the
 * classes' sums.
 */
export function outcomesOfSaid(spec: Spec, samples: Labelled, said: Said): Outcomes {
  const outcomes = emptyOutcomes(spec);
  if (spec.task === 'regression') addErrors(outcomes.errors, samples, said);
  else addNamed(spec, outcomes, samples, said);
  return outcomes;
}

function addErrors(errors: Float64Array, { labels, weights }: Labelled, { valueAt }: Said): void {
  const width = errors.length / 2;
  for (let place = 0; place < labels.length; place++) {
    const weight = weights[Math.floor(place / width)] ?? 0;
    const error = Math.abs(valueAt(place) - (labels[place] ?? 0));
    const output = place % width;
    add(errors, 2 * output, weight * error);
    add(errors, 2 * output + 1, weight * error * error);
  }
}

function addNamed(
  { task }: Spec,
  { classes, calibration }: Outcomes,
  { labels, weights }: Labelled,
  { classAt }: Said,
): void {
  const count = classes.length / 3;
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] ?? 0;
    const weight = weights[row] ?? 0;
    const { named, probability } = classAt(row);
    // (Of predictions that are no numbers, none names a class.)
    if (label >= 0) add(classes, label, weight);
    if (label >= 0 && named >= 0) add(classes, count + named, weight);
    if (label >= 0 && label === named) add(classes, 2 * count + label, weight);
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(probability * bins)));
    add(calibration, bin, weight * probability);
    if (task === 'binary' ? label === 1 : label === named) add(calibration, bins + bin, weight);
  }
}

function add(sums: Float64Array, place: number, weight: number): void {
  sums[place] = (sums[place] ?? 0) + weight;
}

/** A class, −1 for none, and the probability of what is counted as so. */
export type Named = { readonly named: number; readonly probability: number };

/** The class that a row of predictions names. */
export function namedBy({ task, label }: Spec, predictions: Floats, row: number): Named {
  if (task === 'binary') {
    const probability = predictions[row] ?? 0;
    return { named: Number(probability > 0.5), probability };
  }
  const outputs = outputCount(label);
  const own = predictions.subarray(row * outputs, (row + 1) * outputs);
  const probability = Math.max(...own);
  return { named: own.indexOf(probability), probability };
}

/** The sums of both; the first times `fading`. */
export function addOutcomes(a: Outcomes, b: Outcomes, fading = 1): Outcomes {
  const sum = (part: keyof Outcomes) => addArrays(a[part], b[part], fading);
  return {
    classes: sum('classes'),
    calibration: sum('calibration'),
    errors: sum('errors'),
  };
}

/** How predictions of a message turned out: those of the model, and of its rivals if they count. */
export type MessageOutcomes = {
  readonly model: Outcomes;
  readonly rivals?: Readonly<Record<Rival, Outcomes>>;
  /** Of the model; see {@link ClassRanks}. */
  readonly classRanks?: Float64Array | undefined;
};

/** A stream's outcomes after one more message. */
export function outcomesAfter(
  before: StreamOutcomes,
  message: MessageOutcomes,
  scores: Pick<Scores, 'samples' | 'positives' | 'negatives'>,
): StreamOutcomes {
  const fading = wholePower(decayOf(latelySamples), scores.samples);
  const after = ({ soFar, lately }: OutcomesOverTime, own: Outcomes): OutcomesOverTime => ({
    soFar: addOutcomes(soFar, own),
    lately: addOutcomes(lately, own, fading),
  });
  const { ranks, classRanks, rivals: others } = before;
  const { model, rivals: own } = message;
  return {
    ...after(before, model),
    ranks: addArrays(ranks, ranksOf(scores, ranks.length), fading),
    ...(classRanks &&
      message.classRanks && {
        classRanks: classRanksAfter(classRanks, message.classRanks, fading),
      }),
    ...(others &&
      own && {
        rivals: {
          prior: after(others.prior, own.prior),
          lastLabel: after(others.lastLabel, own.lastLabel),
        },
      }),
  };
}

/** The histograms of scores in fewer bins. */
function ranksOf(
  { positives, negatives }: Pick<Scores, 'positives' | 'negatives'>,
  length: number,
): Float64Array {
  const ranks = new Float64Array(length);
  for (let bin = 0; bin < positives.length; bin++) {
    const rank = Math.floor(bin / binsOfRank);
    add(ranks, rank, positives[bin] ?? 0);
    add(ranks, rankBins + rank, negatives[bin] ?? 0);
  }
  return ranks;
}

/** How a stream's last predictions are ordered. */
export function areaLately({ ranks, classRanks }: StreamOutcomes): AreaFigures {
  if (classRanks !== undefined) return areaOfClasses(classRanks.lately);
  const [positives, negatives] = [ranks.subarray(0, rankBins), ranks.subarray(rankBins)];
  return areaFigures({ positives, negatives });
}

/** What outcomes come to. What nothing can be said of is absent. */
export type OutcomeFigures = ConfusionFigures & {
  /**
   * How far the share of what was right is from what was promised, the mean over ten bins of
   * probabilities (Naeini et al. 2015): of two classes of the second, of more of the one that is
   * named.
   */
  readonly calibrationError?: number;
  /** Of several outputs, those of each. */
  readonly outputs?: Readonly<Record<string, ErrorFigures>>;
} & Partial<ErrorFigures>;

/** How far a regression's predictions are from labels, in their unit. */
export type ErrorFigures = {
  readonly meanAbsoluteError: number;
  readonly rootMeanSquaredError: number;
};

/** The figures of outcomes. @param weight of all samples; see {@link Outcomes} */
export function outcomeFigures(
  { task, label }: Pick<Spec, 'task'> & { readonly label: DeclaredLabel },
  outcomes: Outcomes,
  weight: number,
): OutcomeFigures {
  const { classes, calibration, errors } = outcomes;
  if (!(weight > 0)) return {};
  if (task === 'regression') {
    const { outputs } = label;
    const all = errorFigures(errors, weight * labelWidth(label));
    if (outputs === undefined) return all;
    const each = outputs.map((name, output): [string, ErrorFigures] => [
      name,
      errorFigures(errors.subarray(2 * output, 2 * output + 2), weight),
    ]);
    return { ...all, outputs: Object.fromEntries(each) };
  }
  const count = classes.length / 3;
  const [labels, predicted, right] = [0, 1, 2].map((part) =>
    classes.subarray(part * count, (part + 1) * count),
  );
  return {
    ...(labels && predicted && right && confusionFigures({ labels, predicted, right })),
    calibrationError: calibrationError(calibration, weight),
  };
}

/** @param errors of some outputs; see {@link Outcomes} */
function errorFigures(errors: Float64Array, weight: number): ErrorFigures {
  const sum = (part: number) =>
    errors.reduce((total, error, i) => (i % 2 === part ? total + error : total), 0);
  return { meanAbsoluteError: sum(0) / weight, rootMeanSquaredError: Math.sqrt(sum(1) / weight) };
}

function calibrationError(calibration: Float64Array, weight: number): number {
  let distance = 0;
  for (let bin = 0; bin < bins; bin++)
    distance += Math.abs((calibration[bin] ?? 0) - (calibration[bins + bin] ?? 0));
  return distance / weight;
}
