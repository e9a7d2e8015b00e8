import type { Floats } from '../../features/samples.ts';
import type { Expert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensor, Tensors } from '../engine.ts';

const [lastLabel, meanLabel, classCounts, classesAfter] = [
  'weights/mixture/last_label',
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
export function emptyLabels({ task, label, revision }: Spec, experts: readonly Expert[]): Tensors {
  const predicts = (what: string) =>
    experts.some((each) => 'predicts' in each && each.predicts === what);
  const classes = task === 'regression' ? 0 : (label.classes?.length ?? 2);
  const table = { shape: [classes, classes], data: new Float32Array(classes * classes) };
  // (The mean of standardised labels is 0.)
  const hasMean = task === 'regression' && !label.standardize && (revision ?? 0) >= 3;
  return {
    ...(predicts('prior') && hasMean ? { [meanLabel]: vector([0, 0]) } : {}),
    ...(predicts('lastLabel') ? { [lastLabel]: vector([classes > 0 ? noClass : 0]) } : {}),
    ...(predicts('lastLabel') && classes > 0 ? { [classesAfter]: table } : {}),
    ...(predicts('prior') && classes > 0
      ? { [classCounts]: vector(new Float32Array(classes)) }
      : {}),
  };
}

/** The last class before the first label. */
const noClass = -1;

/**
 * A state that knows the labels of some more samples, all of which were predicted before any was
 * known: what each of them followed is the label before them all.
 */
export function withLabels(state: EngineState, labels: Floats): EngineState {
  const own: Record<string, Tensor> = {};
  const [before, last] = [state.tensors[lastLabel]?.data[0], labels.at(-1)];
  if (before !== undefined && last !== undefined) own[lastLabel] = vector([last]);
  const mean = state.tensors[meanLabel]?.data;
  if (mean !== undefined) own[meanLabel] = vector(meanOf(mean, labels));
  const counts = state.tensors[classCounts]?.data.slice();
  if (counts !== undefined) {
    for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
    own[classCounts] = vector(counts);
  }
  const table = state.tensors[classesAfter];
  if (table !== undefined && before !== undefined && before !== noClass) {
    const data = table.data.slice();
    const row = before * (table.shape[1] ?? 0);
    for (const label of labels) data[row + label] = (data[row + label] ?? 0) + 1;
    own[classesAfter] = { ...table, data };
  }
  return { ...state, tensors: { ...state.tensors, ...own } };
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

/**
 * What an expert without a network answers at a state, [outputs]. Of a regression the last label,
 * or the mean, which is 0 where labels are standardised. Of classes their shares among all labels,
 * or among those that followed the last one, as if each had been seen half a time more.
 */
export function constantAnswer(
  { tensors }: EngineState,
  expert: Expert,
  isBinary: boolean,
): Float32Array {
  if (!('predicts' in expert) || expert.predicts === 'prior') {
    const counts = tensors[classCounts]?.data;
    if (counts !== undefined) return sharesOf(counts, isBinary);
    return Float32Array.of(tensors[meanLabel]?.data[0] ?? 0);
  }
  const last = tensors[lastLabel]?.data[0] ?? 0;
  const table = tensors[classesAfter];
  return table === undefined ? Float32Array.of(last) : sharesOf(rowOf(table, last), isBinary);
}

/** The share of each class; of two classes that of the second alone. */
function sharesOf(counts: Float32Array, isBinary: boolean): Float32Array {
  const total = counts.reduce((sum, count) => sum + count + 0.5, 0);
  const shares = counts.map((count) => (count + 0.5) / total);
  return isBinary ? shares.slice(1) : shares;
}

function rowOf({ shape, data }: Tensor, row: number): Float32Array {
  const width = shape[1] ?? 0;
  if (row === noClass) return new Float32Array(width);
  return Float32Array.from(data.subarray(row * width, (row + 1) * width));
}
