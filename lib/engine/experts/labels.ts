import type { Floats } from '../../features/samples.ts';
import { classCount, labelWidth } from '../../features/task.ts';
import { type Expert, predictsBy } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensor, Tensors } from '../engine.ts';
import type { Known } from './mixture.ts';
import { knownQuantile, saysQuantile } from './recent-labels.ts';

const [lastLabel, labelSteps, meanLabel, classCounts, classesAfter] = [
  'weights/mixture/last_label',
  'weights/mixture/label_steps',
  'weights/mixture/mean_label',
  'weights/mixture/class_counts',
  'weights/mixture/classes_after',
] as const;

/** A tensor of one dimension. */
export function vector(values: Iterable<number>): Tensor {
  const data = Float32Array.from(values);
  return { shape: [data.length], data };
}

/** What experts without a network know of labels, before the first. */
export function emptyLabels(spec: Spec, experts: readonly Expert[]): Tensors {
  const { task, label, revision } = spec;
  const predicts = (what: 'prior' | 'lastLabel') => experts.some((each) => predictsBy(each, what));
  const classes = task === 'regression' ? 0 : (classCount(label) ?? 2);
  const table = { shape: [classes, classes], data: new Float32Array(classes * classes) };
  // (The mean of standardised labels is 0, unless they are weighted.)
  const width = labelWidth(label);
  const means = new Float32Array(width * (label.standardize ? 4 : 2));
  const hasMean =
    task === 'regression' && (revision ?? 0) >= (label.standardize ? 4 : 3) && !saysQuantile(spec);
  return {
    ...(predicts('prior') && hasMean ? { [meanLabel]: vector(means) } : {}),
    ...(predicts('lastLabel')
      ? { [lastLabel]: vector(classes > 0 ? [noClass] : new Float32Array(width)) }
      : {}),
    ...(predicts('lastLabel') && classes > 0 ? { [classesAfter]: table } : {}),
    ...(predicts('lastLabel') && classes === 0 && (revision ?? 0) >= 10
      ? { [labelSteps]: { shape: [width, 3], data: new Float32Array(3 * width) } }
      : {}),
    ...(predicts('prior') && classes > 0
      ? { [classCounts]: vector(new Float32Array(classes)) }
      : {}),
  };
}

/** Tensors of a file without the mean of labels, where a quantile stands for it by now. */
export function withoutOldMean(spec: Spec, tensors: Tensors): Tensors {
  const { [meanLabel]: mean, ...others } = tensors;
  return mean !== undefined && saysQuantile(spec) ? others : tensors;
}

/** What is to be known of a task's labels. */
export type LabelKind = {
  /** Whether the task has one output for two classes. */
  readonly isBinary: boolean;
  /** Whether classes get places as they come. */
  readonly grows: boolean;
  /** How many numbers a label has. */
  readonly width: number;
};

/** The last class before the first label. */
const noClass = -1;

/**
 * A state that knows the labels of some more samples, in whatever order. It is the same, however
 * they are cut, if they are weighted.
 */
export function withShares(state: EngineState, { labels, weights }: Known): EngineState {
  const own: Record<string, Tensor> = {};
  const mean = state.tensors[meanLabel]?.data;
  if (mean !== undefined)
    own[meanLabel] = vector(
      weights === undefined ? meanOf(mean, labels) : meansOf(mean, labels, weights),
    );
  const counts = state.tensors[classCounts]?.data.slice();
  if (counts !== undefined) {
    labels.forEach((label, i) => {
      counts[label] = (counts[label] ?? 0) + (weights?.[i] ?? 1);
    });
    own[classCounts] = vector(counts);
  }
  return { ...state, tensors: { ...state.tensors, ...own } };
}

/**
 * A state that knows the labels of some more samples, all of which were predicted before any was
 * known: what each of them followed is the label before them all.
 */
export function withLabels(before: EngineState, known: Known): EngineState {
  const state = withShares(before, known);
  return { ...state, tensors: { ...state.tensors, ...lastOf(state, known) } };
}

function lastOf(state: EngineState, { labels, weights, unit = 1 }: Known): Record<string, Tensor> {
  const own: Record<string, Tensor> = {};
  const { data: known } = state.tensors[lastLabel] ?? {};
  const steps = state.tensors[labelSteps];
  if (known !== undefined && labels.length > 0)
    own[lastLabel] = vector(labels.slice(-known.length));
  if (known !== undefined && steps !== undefined && labels.length > 0) {
    const after = stepsAfter(steps.data, known, labels, unit);
    own[lastLabel] = vector(after.said);
    own[labelSteps] = { ...steps, data: after.steps };
  }
  const [before] = known ?? [];
  const table = state.tensors[classesAfter];
  if (table !== undefined && before !== undefined && before !== noClass) {
    const data = table.data.slice();
    const row = before * (table.shape[1] ?? 0);
    labels.forEach((label, i) => {
      data[row + label] = (data[row + label] ?? 0) + (weights?.[i] ?? 1);
    });
    own[classesAfter] = { ...table, data };
  }
  return own;
}

/** A label that is further from what was said before than so many steps is not said as it is. */
const mostSteps = 10;
/** No usual step is smaller, in deviations: what has been still for long may begin to move. */
const leastStep = 0.01;
/** How much the last step says of the usual one, at least. */
const leastNews = 0.02;

/**
 * How far labels are from one another as they come, and what is said after the last of them: each
 * draws it to itself, but by some usual steps at most. One label in a hundred may be enormous, and
 * come never again.
 *
 * @param stepsBefore of each output the last label, how far one was from the one before on average,
 *   and how many there were, [outputs, 3]
 * @param saidBefore of each output
 * @param unit what steps are times, so that they can be compared when labels are scaled anew
 */
function stepsAfter(
  stepsBefore: Float32Array,
  saidBefore: Float32Array,
  labels: Floats,
  unit: number,
) {
  const [steps, said] = [stepsBefore.slice(), saidBefore.slice()];
  const width = said.length;
  labels.forEach((label, i) => {
    const output = i % width;
    const [last = 0, usual = 0, count = 0] = steps.subarray(3 * output, 3 * output + 3);
    const most =
      count < 2 ? Number.POSITIVE_INFINITY : mostSteps * Math.max(usual, leastStep * unit);
    const before = said[output] ?? 0;
    const way = (label - before) * unit;
    said[output] = Math.abs(way) <= most ? label : before + (Math.sign(way) * most) / unit;
    const step = count === 0 ? 0 : Math.min(Math.abs(label - last) * unit, most);
    const news = Math.max(leastNews, 1 / Math.max(1, count));
    steps.set([label, usual + news * (step - usual), count + 1], 3 * output);
  });
  return { steps, said };
}

/**
 * The weighted mean and the sum of weights, after some more labels; and where labels are
 * standardised, the plain mean and their number, which say how far the weighted one is from 0. Of
 * several outputs, those of each, one after another.
 */
function meansOf(before: Float32Array, labels: Floats, weights: Float32Array): Float32Array {
  const means = before.slice();
  const width = labels.length / Math.max(weights.length, 1);
  const each = means.length / Math.max(width, 1);
  const add = (at: number, label: number, weight: number) => {
    const sum = (means[at + 1] ?? 0) + weight;
    const mean = means[at] ?? 0;
    if (weight > 0) means[at] = mean + ((label - mean) * weight) / sum;
    means[at + 1] = sum;
  };
  labels.forEach((label, i) => {
    const at = each * (i % width);
    add(at, label, weights[Math.floor(i / width)] ?? 1);
    if (each > 2) add(at + 2, label, 1);
  });
  return means;
}

/** The mean label and how many there were, after some more. */
function meanOf([before = 0, seen = 0]: Float32Array, labels: Floats): number[] {
  let [mean, count] = [before, seen];
  for (const label of labels) {
    count += 1;
    mean += (label - mean) / count;
  }
  return [mean, count];
}

/** Whether a state knows a label of a regression that the last one is told by. */
export function knowsLastLabel({ tensors }: EngineState): boolean {
  const [, , count = 1] = tensors[labelSteps]?.data ?? [];
  return count > 0;
}

/**
 * What an expert without a network answers at a state, [outputs]. Of a regression the last label,
 * or the mean, which is 0 where labels are standardised and weigh alike, or the quantile that is
 * predicted. Of classes their shares among all labels, or among those that followed the last one,
 * as if each had been seen half a time more.
 */
export function constantAnswer(
  { tensors }: Pick<EngineState, 'tensors'>,
  expert: Expert,
  kind: LabelKind,
): Float32Array {
  if (!('predicts' in expert) || expert.predicts === 'prior') {
    const quantile = knownQuantile({ tensors });
    if (quantile !== undefined) return Float32Array.from(quantile.data);
    const counts = tensors[classCounts]?.data;
    if (counts !== undefined) return sharesOf(counts, kind);
    const means = tensors[meanLabel]?.data ?? Float32Array.of();
    const each = means.length / kind.width;
    return Float32Array.from({ length: kind.width }, (_, output) => {
      const [mean = 0, , plain = 0] = means.subarray(each * output, each * (output + 1));
      return mean - plain;
    });
  }
  const last = tensors[lastLabel]?.data ?? new Float32Array(kind.width);
  const table = tensors[classesAfter];
  if (table === undefined) return Float32Array.from(last);
  return sharesOf(rowOf(table, last[0] ?? noClass), kind);
}

/**
 * The share of each class; of two classes that of the second alone. Where classes get places as
 * they come, all that have not come are counted as one.
 */
export function sharesOf(counts: Float32Array, { isBinary, grows }: LabelKind): Float32Array {
  const others = grows ? Math.max(1, counts.filter((count) => count === 0).length) : 1;
  const more = (count: number) => (grows && count === 0 ? 0.5 / others : 0.5);
  const total = counts.reduce((sum, count) => sum + count + more(count), 0);
  const shares = counts.map((count) => (count + more(count)) / total);
  return isBinary ? shares.slice(1) : shares;
}

function rowOf({ shape, data }: Tensor, row: number): Float32Array {
  const width = shape[1] ?? 0;
  if (row === noClass) return new Float32Array(width);
  return Float32Array.from(data.subarray(row * width, (row + 1) * width));
}
