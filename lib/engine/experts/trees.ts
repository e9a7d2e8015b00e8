import { sigmoid, softmax } from '../../arithmetic.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { haveVaried } from '../../features/scaling.ts';
import type { TreesExpert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel, EngineState, Run, Trained } from '../engine.ts';
import { keptSteps } from './kept-steps.ts';
import type { LabelKind } from './labels.ts';
import { readScale } from './scales.ts';
import {
  emptyTreeMemory,
  type Grove,
  groveOf,
  type TreeMemory,
  treeMemoryOf,
  withTreeMemory,
} from './tree-memory.ts';
import { newShare, renewed } from './tree-renewal.ts';
import {
  bounded,
  followScales,
  labelWay,
  type Ways,
  wayBetween,
  waysToKept,
} from './tree-scales.ts';
import { readyTrees, toScores } from './tree-scores.ts';
import { boundLabels } from './usual-labels.ts';

/**
 * Gradient-boosted trees over the latest samples, grown anew whenever a fifth of those is new: they
 * say what depends on thresholds, and on some numbers only beside others. The last third of them
 * follows what the first ones leave of the newest samples alone, and so a world that changes.
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
  const trees = readyTrees(memory);
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

/** Writes the numbers of a sample, as they are kept, and its categories. */
function toRow(
  {
    grove: { numbers, places, numberWidth, categories },
    ways: { ratios, shifts },
    row,
  }: { readonly grove: Grove; readonly ways: Ways; readonly row: Float32Array },
  samples: EncodedSamples,
  i: number,
): void {
  const first = i * numberWidth;
  for (let column = 0; column < numbers; column++)
    row[column] = bounded(
      (ratios[column] ?? 1) * (samples.numbers[first + (places[column] ?? 0)] ?? 0) +
        (shifts[column] ?? 0),
    );
  const indices = i * (samples.categories.length / samples.count);
  categories.forEach((category, at) => {
    row[numbers + at] = samples.categories[indices + category] ?? 0;
  });
}

/** Values of labels as they are kept become values as labels are standardised now, in place. */
function fromKept(memory: TreeMemory, values: Float64Array): void {
  values.forEach((value, output) => {
    const { ratio, shift } = labelWay(memory, output);
    values[output] = ratio * value + shift;
  });
}

/** Keeps samples, the newest in place of the oldest, and grows trees when it is time. */
function learnt(grove: Grove, state: EngineState, samples: EncodedSamples, run: Run): Trained {
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
  const steps = keptSteps(state, samples, run);
  let own: TreeMemory = memory;
  for (const { numberScale, labelScale, rows } of steps) {
    followScales(grove, memory, numberScale, labelScale);
    if (!haveVaried(labelScale) || rows.length === 0) continue;
    const ways = waysToKept(memory, grove.numbers);
    for (const row of rows) keep(grove, own, samples, { row, ways });
    own = renewed(grove, own);
  }
  return {
    state: { ...withTreeMemory(state, own), step: state.step + steps.length },
    losses: new Float32Array(steps.length),
  };
}

function keep(
  grove: Grove,
  memory: TreeMemory,
  samples: EncodedSamples,
  { row, ways }: { readonly row: number; readonly ways: Ways },
): void {
  const { numbers: width, categories, kind, size, shape } = grove;
  const { place, usualLabels } = memory;
  const [at = 0, since = 0, sinceOthers = 0] = place;
  const values = new Float32Array(width + categories.length);
  toRow({ grove, ways, row: values }, samples, row);
  memory.numbers.set(values.subarray(0, width), at * width);
  memory.categories.set(values.subarray(width), at * categories.length);
  for (let output = 0; output < kind.width; output++) {
    const now = readScale(memory.labelScale, output);
    const { ratio, shift } = wayBetween(now, readScale(memory.keptLabelScale, output));
    const label = samples.labels[row * kind.width + output] ?? 0;
    memory.labels[at * kind.width + output] = bounded(ratio * label + shift);
  }
  if (shape.task === 'regression') boundLabels(memory.labels, at * kind.width, usualLabels);
  memory.weights[at] = samples.weights[row] ?? 0;
  place.set([(at + 1) % size, since + 1, sinceOthers + 1]);
}
