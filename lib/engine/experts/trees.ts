import { greatestFloat32, sigmoid, softmax } from '../../arithmetic.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { type ColumnScales, haveVaried, type LabelScale } from '../../features/scaling.ts';
import type { TreesExpert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel, EngineState, Run, Trained } from '../engine.ts';
import { rowsInOrder } from '../run.ts';
import { binned } from './bins.ts';
import { boosted, readyTrees, toScores } from './boosting.ts';
import type { LabelKind } from './labels.ts';
import { readScale, type Scale, scaleWidth, writeScale } from './scales.ts';
import {
  emptyTreeMemory,
  type Grove,
  groveOf,
  type TreeMemory,
  treeMemoryOf,
  withTreeMemory,
} from './tree-memory.ts';
import { boundLabels } from './usual-labels.ts';

/** Trees are grown anew once there are so many more samples, and so large a part of all. */
const [fewest, newShare] = [8, 0.2];
/** Those of another window stay until this one has so large a part of its samples. */
const shareOfOthers = 0.25;
/** How many times its scale before a number's may be for what is kept of it to be restated. */
const mostRatio = 1e6;
/** What is kept is no larger than this: it fits float32, whatever it is restated by. */
const greatest = greatestFloat32 / 4;

/**
 * Gradient-boosted trees over the latest samples, grown anew whenever a fifth of those is new: they
 * say what depends on thresholds, and on some numbers only beside others.
 */
export function byTrees(spec: Spec, expert: TreesExpert, kind: LabelKind): CompiledModel {
  const grove = groveOf(spec, expert, kind);
  const { shape, numbers, categories } = grove;
  const { trees, outputs } = shape;
  // (As many products as take as long; measured.)
  const grown = trees * (24 * (numbers + categories.length) + 50 * outputs + 200);
  return {
    engine: '',
    outputs,
    work: { predicted: trees * (100 + outputs), learnt: grown / newShare, step: 50 * numbers },
    initial: () => ({ tensors: emptyTreeMemory(grove), step: 0, seed: 0 }),
    predict: async (state, samples) => answersOf(grove, treeMemoryOf(state), samples),
    train: async (state, samples, run) => learnt(grove, state, samples, run),
    restart: (state) => state,
  };
}

function answersOf(grove: Grove, memory: TreeMemory, samples: EncodedSamples): Float32Array {
  const { shape, numbers, categories } = grove;
  const { outputs, task } = shape;
  const answers = new Float32Array(samples.count * outputs);
  const { base, leaves, columns, cuts, children } = memory;
  const trees = readyTrees({ base, leaves, columns, cuts, children });
  const ways = waysToKept(memory, numbers);
  const row = new Float32Array(numbers + categories.length);
  const scores = new Float64Array(outputs);
  for (let i = 0; i < samples.count; i++) {
    toRow({ grove, ways, row }, samples, i);
    toScores(trees, shape, { row, numbers }, scores);
    if (task === 'multiclass') softmax(scores);
    else if (task === 'binary') scores[0] = sigmoid(scores[0] ?? 0);
    else fromKept(memory, scores);
    answers.set(scores, i * outputs);
  }
  return answers;
}

/** What standardised numbers are times, and what is added, to be standardised otherwise. */
type Ways = { readonly ratios: Float64Array; readonly shifts: Float64Array };

/** What leads from numbers as they come to numbers as they are kept. */
export function waysToKept(
  { keptNumberScale, numberScale }: Pick<TreeMemory, 'keptNumberScale' | 'numberScale'>,
  numbers: number,
): Ways {
  return waysOf(numbers, numberScale, keptNumberScale);
}

function waysOf(numbers: number, from: Float32Array, to: Float32Array): Ways {
  const ratios = new Float64Array(numbers).fill(1);
  const shifts = new Float64Array(numbers);
  for (let column = 0; column < numbers; column++) {
    const [before, after] = [readScale(from, column), readScale(to, column)];
    // (While a number has not varied nothing is known of it; and what would be told by rounding
    // alone stays as it is.)
    const ratio = after.scale / before.scale;
    if (!(ratio * mostRatio >= 1 && ratio <= mostRatio)) continue;
    ratios[column] = ratio;
    shifts[column] = (before.mean - after.mean) * after.scale;
  }
  return { ratios, shifts };
}

/** Writes the numbers of a sample, as they are kept, and its categories. */
function toRow(
  {
    grove: { numbers, categories },
    ways: { ratios, shifts },
    row,
  }: { readonly grove: Grove; readonly ways: Ways; readonly row: Float32Array },
  samples: EncodedSamples,
  i: number,
): void {
  const first = i * numbers;
  for (let column = 0; column < numbers; column++)
    row[column] = bounded(
      (ratios[column] ?? 1) * (samples.numbers[first + column] ?? 0) + (shifts[column] ?? 0),
    );
  const indices = i * (samples.categories.length / samples.count);
  categories.forEach((category, at) => {
    row[numbers + at] = samples.categories[indices + category] ?? 0;
  });
}

function bounded(value: number): number {
  return Math.min(Math.max(value, -greatest), greatest);
}

/** Values of labels as they are kept become values as labels are standardised now, in place. */
function fromKept(memory: TreeMemory, values: Float64Array): void {
  values.forEach((value, output) => {
    const { ratio, shift } = labelWay(memory, output);
    values[output] = ratio * value + shift;
  });
}

/** What leads from labels as they are kept to labels as they are standardised now. */
export function labelWay(
  { keptLabelScale, labelScale }: Pick<TreeMemory, 'keptLabelScale' | 'labelScale'>,
  output: number,
): { readonly ratio: number; readonly shift: number } {
  return wayBetween(readScale(keptLabelScale, output), readScale(labelScale, output));
}

/** The same of values by the mean and the deviation of which they are standardised. */
function wayBetween(from: Scale, to: Scale): { readonly ratio: number; readonly shift: number } {
  if (!(from.scale > 0 && to.scale > 0)) return { ratio: 1, shift: 0 };
  return { ratio: from.scale / to.scale, shift: (from.mean - to.mean) / to.scale };
}

/** Keeps samples, the newest in place of the oldest, and grows trees when it is time. */
function learnt(
  grove: Grove,
  state: EngineState,
  samples: EncodedSamples,
  {
    order = rowsInOrder(samples.count),
    minibatch,
    labelScaleAt,
    numberScaleAt,
    keepsWindows = false,
  }: Run,
): Trained {
  const before = treeMemoryOf(state);
  const memory = {
    ...before,
    numbers: before.numbers.slice(),
    categories: before.categories.slice(),
    labels: before.labels.slice(),
    weights: before.weights.slice(),
    place: before.place.slice(),
    usualLabels: before.usualLabels.slice(),
    keptNumberScale: before.keptNumberScale.slice(),
    numberScale: before.numberScale.slice(),
    keptLabelScale: before.keptLabelScale.slice(),
    labelScale: before.labelScale.slice(),
  };
  const steps = Math.ceil(order.length / minibatch);
  let own: TreeMemory = memory;
  for (let step = 0; step < steps; step++) {
    const labelScale = labelScaleAt?.(state.step + step);
    followScales(memory, numberScaleAt?.(state.step + step), labelScale);
    if (!haveVaried(labelScale) || keepsWindows) continue;
    const ways = waysToKept(memory, grove.numbers);
    for (const row of order.subarray(step * minibatch, (step + 1) * minibatch))
      if ((samples.weights[row] ?? 0) > 0) keep(grove, own, samples, { row, ways });
    if (isDue(grove, own)) own = grownAnew(grove, own);
  }
  return {
    state: { ...withTreeMemory(state, own), step: state.step + steps },
    losses: new Float32Array(steps),
  };
}

/** Notes how what comes is standardised; what is kept is the same from the first time on. */
function followScales(
  { numberScale, keptNumberScale, labelScale, keptLabelScale }: TreeMemory,
  numbers: ColumnScales | undefined,
  labels: LabelScale | undefined,
): void {
  const note = (now: Float32Array, kept: Float32Array, at: number, scale: Scale) => {
    if (!(scale.scale > 0)) return;
    writeScale(now, at, scale);
    if (readScale(kept, at).scale === 0) writeScale(kept, at, scale);
  };
  for (let column = 0; column < numberScale.length / scaleWidth; column++) {
    const [mean = 0, scale = 0] = [numbers?.mean[column], numbers?.scale[column]];
    note(numberScale, keptNumberScale, column, { mean, scale });
  }
  labels?.outputs.forEach(({ mean, deviation: scale }, output) => {
    note(labelScale, keptLabelScale, output, { mean, scale });
  });
}

function keep(
  grove: Grove,
  memory: TreeMemory,
  samples: EncodedSamples,
  { row, ways }: { readonly row: number; readonly ways: Ways },
): void {
  const { numbers: width, categories, kind, size, shape } = grove;
  const { place, usualLabels } = memory;
  const [at = 0, since = 0] = place;
  const values = new Float32Array(width + categories.length);
  toRow({ grove, ways, row: values }, samples, row);
  memory.numbers.set(values.subarray(0, width), at * width);
  memory.categories.set(values.subarray(width), at * categories.length);
  for (let output = 0; output < kind.width; output++) {
    const { scale, mean } = readScale(memory.labelScale, output);
    const kept = readScale(memory.keptLabelScale, output);
    const { ratio, shift } = wayBetween({ scale, mean }, kept);
    const label = samples.labels[row * kind.width + output] ?? 0;
    memory.labels[at * kind.width + output] = bounded(ratio * label + shift);
  }
  if (shape.task === 'regression') boundLabels(memory.labels, at * kind.width, usualLabels);
  memory.weights[at] = samples.weights[row] ?? 0;
  place.set([(at + 1) % size, since + 1]);
}

function keptCount({ size }: Grove, { weights, place: [next = 0] }: TreeMemory): number {
  return (weights[size - 1] ?? 0) > 0 ? size : next;
}

function isDue(grove: Grove, memory: TreeMemory): boolean {
  const {
    place: [, since = 0],
    grown: [grown = 0],
  } = memory;
  const count = keptCount(grove, memory);
  return since >= Math.max(fewest, newShare * count) && count >= shareOfOthers * grown;
}

/** Trees of today's samples, in numbers and labels as they are standardised now. */
function grownAnew(grove: Grove, memory: TreeMemory): TreeMemory {
  const { numbers: width, categories, kind, shape } = grove;
  const count = keptCount(grove, memory);
  restate(grove, memory, count);
  const columns = Array.from({ length: width + categories.length }, (_, column) => {
    const [values, wide, at] =
      column < width
        ? ([memory.numbers, width, column] as const)
        : ([memory.categories, categories.length, column - width] as const);
    return Float32Array.from({ length: count }, (__, row) => values[row * wide + at] ?? 0);
  });
  const mean = memory.weights.reduce((sum, weight) => sum + weight, 0) / count;
  const told = {
    labels: memory.labels.subarray(0, count * kind.width),
    weights: Float64Array.from(memory.weights.subarray(0, count), (weight) => weight / mean),
    base: memory.base,
  };
  memory.place[1] = 0;
  const grown = Float32Array.of(count);
  return { ...memory, ...boosted(binned(columns, width), told, shape), grown };
}

/** Says what is kept in numbers and labels as they are standardised now. */
function restate({ numbers: width, kind }: Grove, memory: TreeMemory, count: number): void {
  const { numbers, labels, usualLabels } = memory;
  const { numberScale, keptNumberScale, labelScale, keptLabelScale } = memory;
  const { ratios, shifts } = waysOf(width, keptNumberScale, numberScale);
  for (let i = 0; i < count * width; i++) {
    const [ratio = 1, shift = 0] = [ratios[i % width], shifts[i % width]];
    numbers[i] = bounded(ratio * (numbers[i] ?? 0) + shift);
  }
  for (let output = 0; output < kind.width; output++) {
    const { ratio, shift } = labelWay(memory, output);
    for (let i = output; i < count * kind.width; i += kind.width)
      labels[i] = bounded(ratio * (labels[i] ?? 0) + shift);
    const [mean = 0, usual = 0] = usualLabels.subarray(3 * output, 3 * output + 2);
    usualLabels.set([ratio * mean + shift, ratio * usual], 3 * output);
  }
  keptNumberScale.set(numberScale);
  keptLabelScale.set(labelScale);
}
