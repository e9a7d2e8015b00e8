import { classNames } from '../features/class-weights.ts';
import type { Floats } from '../features/samples.ts';
import { labelWidth, outputCount } from '../features/task.ts';
import type { Spec } from '../spec/spec.ts';
import { addRanks, areaOfClasses } from './class-ranks.ts';
import { createExactAreas } from './exact-area.ts';
import {
  addOutcomes,
  emptyOutcomes,
  namedBy,
  type OutcomeFigures,
  outcomeFigures,
  outcomesOf,
} from './outcomes.ts';
import {
  addScores,
  areaFigures,
  emptyScores,
  type Labelled,
  meanLoss,
  score,
  scoreBins,
} from './scores.ts';

/** What predictions come to, held against labels. What nothing can be said of is absent. */
export type Figures = OutcomeFigures & {
  /**
   * Under the ROC curve. Of more than two classes, the mean over those of each against all others
   * (Fawcett 2006, without weights), of the classes that have labels of both kinds; of few classes.
   */
  readonly areaUnderCurve?: number;
  /** In the unit of the spec's loss. */
  readonly loss: number;
  readonly accuracy?: number;
  /** Against the mean of these labels; of several outputs the mean of theirs. */
  readonly rSquared?: number;
  /** Rows by the label, columns by the prediction; as `classes` names them. Of few classes. */
  readonly confusion?: {
    readonly classes: readonly string[];
    readonly counts: readonly (readonly number[])[];
  };
};

/** Figures that grow with each block of predictions. */
export type FigureSums = {
  /** @param predictions [count, outputs] */
  readonly add: (predictions: Floats, samples: Labelled) => void;
  readonly samples: () => number;
  readonly finish: () => Figures;
};

/** More classes have a confusion that nobody reads, and that is large. */
const confusedClasses = 200;

/**
 * The figures of no predictions: each sample counts once, but in loss, accuracy and area.
 *
 * @param names the classes that have places, where they get them as they come
 */
export function createFigures(spec: Spec, names?: readonly string[]): FigureSums {
  const outputs = outputCount(spec.label);
  const classes = classNames(spec, names && { classNames: names });
  const isShort = classes.length > 0 && classes.length <= confusedClasses;
  const counts = isShort ? classes.map(() => classes.map(() => 0)) : [];
  const spreads = Array.from({ length: labelWidth(spec.label) }, createLabelSpread);
  let scores = emptyScores(spec);
  let outcomes = emptyOutcomes(spec);
  const shape = { outputs, classes: classes.length, bins: scoreBins };
  const ranks =
    spec.task === 'multiclass' && isShort
      ? new Float64Array(classes.length * 2 * scoreBins)
      : undefined;
  const areas =
    spec.task === 'binary' || ranks ? createExactAreas(outputs, classes.length) : undefined;
  const count = (predictions: Floats, row: number, label: number) => {
    const { named } = namedBy(spec, predictions, row);
    const counted = counts[label];
    if (counted?.[named] !== undefined) counted[named] += 1;
  };
  return {
    add(predictions, samples) {
      const { labels } = samples;
      scores = addScores(scores, score(spec, predictions, samples));
      const alike = { labels, weights: new Float32Array(samples.weights.length).fill(1) };
      outcomes = addOutcomes(outcomes, outcomesOf(spec, predictions, alike));
      if (spec.task === 'regression')
        labels.forEach((label, i) => void spreads[i % spreads.length]?.add(label));
      if (isShort) labels.forEach((label, row) => void count(predictions, row, label));
      if (ranks) addRanks(ranks, predictions, samples, shape);
      areas?.add(predictions, samples);
    },
    samples: () => scores.samples,
    finish() {
      // Of very many predictions those that lie in a bin are alike.
      const { areaUnderCurve: binned } = ranks
        ? areaOfClasses(ranks, scoreBins)
        : areaFigures(scores);
      const curve = binned && (areas?.finish() ?? binned);
      const explained = spreads.map(
        ({ squares }, output) => 1 - (outcomes.errors[2 * output + 1] ?? 0) / squares(),
      );
      const hasVaried = spreads.every(({ squares }) => squares() > 0);
      const rSquared = explained.reduce((sum, each) => sum + each / spreads.length, 0);
      return {
        loss: meanLoss(scores),
        ...(spec.task === 'regression' ? {} : { accuracy: scores.correct / scores.weight }),
        ...outcomeFigures(spec, outcomes, scores.samples),
        ...(hasVaried ? { rSquared } : {}),
        ...(isShort ? { confusion: { classes, counts } } : {}),
        ...(curve === undefined ? {} : { areaUnderCurve: curve }),
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

/** Figures without what is long: they would be kept for each epoch. */
export function shortFigures({ confusion: _, outputs: __, ...figures }: Figures): Figures {
  return finiteFigures(figures);
}

/** Figures as JSON can hold them: without those that are no number. */
export function finiteFigures({ confusion, outputs, ...figures }: Figures): Figures {
  const known = Object.entries(figures).filter(([, value]) => Number.isFinite(value));
  const all = Object.values(outputs ?? {}).flatMap((each) => Object.values(each));
  return {
    loss: figures.loss,
    ...Object.fromEntries(known),
    ...(outputs && all.every(Number.isFinite) && { outputs }),
    ...(confusion && { confusion }),
  };
}

/** How far labels are from their mean (Welford 1962). */
function createLabelSpread() {
  let [count, mean, squares] = [0, 0, 0];
  return {
    add(label: number) {
      count += 1;
      const delta = label - mean;
      mean += delta / count;
      squares += delta * (label - mean);
    },
    squares: () => squares,
  };
}
