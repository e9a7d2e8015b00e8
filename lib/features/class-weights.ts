import { greatestFloat32 } from '../arithmetic.ts';
import { listNames, show } from '../parse.ts';
import type { NamedClasses } from './classes.ts';
import type { EncodedSamples, Layout } from './samples.ts';
import type { Task } from './task.ts';

/** How much each class counts: so much, or all alike over the samples so far. */
export type ClassWeights = Readonly<Record<string, number>> | 'balanced';

/** How much each class has weighed so far, [classes]; nothing unless given. */
type Counted = { readonly classes?: Float64Array };

/** What is known of classes: how much each has weighed, and which have places. */
export type KnownClasses = Counted & NamedClasses;

/** The parts of a spec that decide what its classes weigh. */
export type Weighing = {
  readonly task: Task;
  readonly label: {
    readonly classes?: readonly string[] | undefined;
    readonly maxClasses?: number | undefined;
    readonly classWeights?: ClassWeights | undefined;
  };
};

/**
 * The names of a task's classes, in the order of their indices; none in a regression.
 *
 * @param known which of them have places, where they get them as they come
 */
export function classNames(
  { task, label }: Weighing,
  { classNames: names = label.classes ?? [] }: KnownClasses = {},
): readonly string[] {
  return task === 'binary' ? ['false', 'true'] : names;
}

/**
 * No class weighs more than so many times what it would unbalanced: the first sample of a class
 * that is one in a million would throw over all that was learnt.
 */
const mostBalanced = 100;

/**
 * What each class weighs, [classes]; undefined where all weigh alike. Balanced ones weigh so that
 * all classes say equally much together: N / (K nᵢ) (King and Zeng 2001), each class counted once
 * more.
 */
export function classWeightsOf(spec: Weighing, known: KnownClasses): Float64Array | undefined {
  const { classWeights } = spec.label;
  if (classWeights === undefined) return undefined;
  const names = classNames(spec, known);
  if (classWeights !== 'balanced')
    return Float64Array.from(names, (name) =>
      Object.hasOwn(classWeights, name) ? (classWeights[name] ?? 1) : 1,
    );
  const counts = Float64Array.from(names, (_, at) => 1 + (known.classes?.[at] ?? 0));
  const even = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.map((count) => Math.min(even / count, mostBalanced));
}

/**
 * Samples that weigh as their classes do, and more if they came late: `weights` are those of samples
 * times those of both, `importance` those of samples alone.
 */
export function weighed(
  samples: EncodedSamples,
  spec: Weighing,
  statistics: KnownClasses,
): EncodedSamples {
  const classWeights = classWeightsOf(spec, statistics);
  const { lateWeights, ...own } = samples;
  const isPlain = classWeights === undefined && lateWeights === undefined;
  if (isPlain || samples.importance !== undefined) return samples;
  const { labels, weights: importance } = own;
  const weights = importance.map((weight, row) => {
    const ofClass = classWeights?.[labels[row] ?? 0] ?? 1;
    return timesFactor(weight, ofClass * (lateWeights?.[row] ?? 1));
  });
  return { ...own, weights, importance };
}

/** How much each class weighed in some samples; undefined where a layout does not count them. */
export function countClasses(
  { labels, weights, importance = weights }: EncodedSamples,
  { countedClasses }: Layout,
): Float64Array | undefined {
  if (countedClasses === undefined) return undefined;
  const counts = new Float64Array(countedClasses);
  labels.forEach((label, row) => {
    counts[label] = (counts[label] ?? 0) + (importance[row] ?? 0);
  });
  return counts;
}

/** What is wrong with the class weights of a spec. */
export function problemsOfClassWeights(spec: Weighing): readonly string[] {
  const { classWeights } = spec.label;
  if (classWeights === undefined) return [];
  if (spec.task === 'regression') return ['a regression has no classes; weigh samples instead'];
  if (classWeights === 'balanced') return [];
  if (spec.label.maxClasses !== undefined) return [];
  const names = classNames(spec);
  const unknown = Object.keys(classWeights).find((name) => !names.includes(name));
  if (unknown === undefined) return [];
  return [`there is no class ${show(unknown)}; allowed: ${listNames(names)}`];
}

/** The least and the greatest weight in float32: one that is 0 or infinite would say nothing. */
const [leastWeight, mostWeight] = [2 ** -149, greatestFloat32];

/** A weight times a factor, as far as float32 has such a weight. */
function timesFactor(weight: number, factor: number): number {
  return Math.min(Math.max(weight * factor, leastWeight), mostWeight);
}

/** Samples to be kept: those that came late simply weigh more. */
export function withOwnWeights({ lateWeights, ...samples }: EncodedSamples): EncodedSamples {
  if (lateWeights === undefined) return samples;
  const timesLate = (weight: number, row: number) => timesFactor(weight, lateWeights[row] ?? 1);
  return { ...samples, weights: samples.weights.map(timesLate) };
}
