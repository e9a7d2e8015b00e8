import type { EncodedSamples } from '../../features/samples.ts';
import { type ColumnScales, haveVaried, type LabelScale } from '../../features/scaling.ts';
import type { NeighboursExpert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel, EngineState, Run, Trained } from '../engine.ts';
import { compare } from './compare.ts';
import { keptSteps } from './kept-steps.ts';
import type { LabelKind } from './labels.ts';
import { gaussians, squaredDistances } from './likeness.ts';
import {
  alikeShare,
  columnShares,
  comparisonOf,
  emptyMemory,
  keptIn,
  type Memory,
  memoryOf,
  toAnswer,
  usualShares,
  type Window,
  windowOf,
} from './memory.ts';
import { restatements, scaleChanges } from './scaled-weights.ts';
import { boundLabels } from './usual-labels.ts';

/** How many times its scale before a number's may be for what is kept of it to be restated. */
const mostRatio = 1e6;

/**
 * What the labels of those of the latest samples are that are like one: of a regression their mean,
 * of classes their shares, each weighted by a Gaussian of the distance between their numbers
 * (Nadaraya 1964, Watson 1964). The bandwidth, and whether the whole window is looked at or its
 * newest eighth, is what has lost least lately. A sample is learnt by being kept.
 */
export function byNeighbours(spec: Spec, expert: NeighboursExpert, kind: LabelKind): CompiledModel {
  const window = windowOf(spec, expert, kind);
  const { outputs, numbers } = window;
  const products = expert.window * (numbers + 8);
  return {
    engine: '',
    outputs,
    work: { predicted: products, learnt: numbers, step: 4 * products },
    initial: () => ({ tensors: emptyMemory(window), step: 0, seed: 0 }),
    predict: async (state, samples) => answersOf(window, memoryOf(state), samples),
    train: async (state, samples, run) => remember(window, state, samples, run),
    restart: (state) => state,
  };
}

function answersOf(window: Window, memory: Memory, samples: EncodedSamples): Float32Array {
  const { outputs, numbers: width, size } = window;
  const answers = new Float32Array(samples.count * outputs);
  const usual = usualShares(window, memory);
  const { most, factor } = comparisonOf(window, memory);
  const kept = keptIn(window, memory, most);
  if (kept.count === 0) {
    for (let row = 0; row < samples.count; row++) answers.set(usual, row * outputs);
    return answers;
  }
  const points = { values: memory.numbers, size, columns: columnShares(memory) };
  const distances = new Float64Array(kept.count);
  const likeness = new Float64Array(kept.count);
  const answer = new Float64Array(outputs);
  for (let row = 0; row < samples.count; row++) {
    const point = samples.numbers.subarray(row * width, (row + 1) * width);
    squaredDistances(point, points, kept.ranges, distances);
    gaussians(distances, factor, likeness);
    toAnswer(window, kept, { likeness, usual }, answer);
    answers.set(answer, row * outputs);
  }
  return answers;
}

/** What an expert of neighbours answers by at a state. */
export type Compared = {
  /** How many samples one is compared with. */
  readonly count: number;
  /** Their numbers, [numbers, count]. */
  readonly points: Float32Array;
  /** What squared distances are times in the exponent, and how much each column counts in them. */
  readonly factor: number;
  readonly columns: Float64Array;
  /** How much each counts, [count]. */
  readonly weights: Float32Array;
  /** What each says, [count, outputs], and what is said of all samples besides, [outputs]. */
  readonly said: Float64Array;
  readonly usual: Float64Array;
};

/** With what samples are compared at a state; with nothing before the first one is kept. */
export function comparedAt(
  spec: Spec,
  expert: NeighboursExpert,
  { kind, state }: { readonly kind: LabelKind; readonly state: EngineState },
): Compared {
  const window = windowOf(spec, expert, kind);
  const { numbers, outputs, classes, size } = window;
  const memory = memoryOf(state);
  const { most, factor } = comparisonOf(window, memory);
  const kept = keptIn(window, memory, most);
  const { count, weights, ranges } = kept;
  const points = new Float32Array(numbers * count);
  const said = new Float64Array(count * outputs);
  const answer = new Float64Array(outputs);
  const likeness = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    likeness.fill(0).fill(1, row, row + 1);
    toAnswer(window, kept, { likeness, usual: new Float32Array(outputs) }, answer);
    said.set(answer, row * outputs);
  }
  for (let column = 0; column < numbers; column++) {
    let at = column * count;
    for (const { start, end } of ranges) {
      points.set(memory.numbers.subarray(column * size + start, column * size + end), at);
      at += end - start;
    }
  }
  const share = count === 0 ? 1 : classes > 0 ? alikeShare : 0;
  const shares = usualShares(window, memory);
  const usual = Float64Array.from({ length: outputs }, (_, i) => share * (shares[i] ?? 0));
  return { count, points, factor, columns: columnShares(memory), weights, said, usual };
}

/** Keeps samples, the newest in place of the oldest. */
function remember(window: Window, state: EngineState, samples: EncodedSamples, run: Run): Trained {
  const { numbers: width, kind, size } = window;
  const tensors = Object.fromEntries(
    Object.entries(state.tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.slice() },
    ]),
  );
  const memory = memoryOf({ ...state, tensors });
  const { numbers, labels, weights, place, usualLabels } = memory;
  const steps = keptSteps(state, samples, run);
  for (const { numberScale, labelScale, rows } of steps) {
    restateNumbers(window, memory, numberScale);
    const isKnown = restateLabels(memory, labelScale);
    if (!isKnown || rows.length === 0) continue;
    compare(window, memory, samples, rows[0]);
    for (const row of rows) {
      const [at = 0] = place;
      for (let column = 0; column < width; column++)
        numbers[column * size + at] = samples.numbers[row * width + column] ?? 0;
      labels.set(
        samples.labels.subarray(row * kind.width, (row + 1) * kind.width),
        at * kind.width,
      );
      if (window.classes === 0) boundLabels(labels, at * kind.width, usualLabels);
      weights[at] = samples.weights[row] ?? 0;
      place[0] = (at + 1) % size;
    }
  }
  return {
    state: { ...state, tensors, step: state.step + steps.length },
    losses: new Float32Array(steps.length),
  };
}

/** What is kept, as if it had come with the numbers of today. */
function restateNumbers(
  { size }: Window,
  { numbers, numberScale, spread }: Memory,
  now: ColumnScales | undefined,
): void {
  if (now === undefined) return;
  for (const { column, before, scale, moved } of scaleChanges(numberScale, now, mostRatio)) {
    const ratio = scale / before;
    const shift = -moved * scale;
    for (let i = column * size; i < (column + 1) * size; i++)
      numbers[i] = ratio * (numbers[i] ?? 0) + shift;
    // (What is usual is found out anew.)
    if (ratio > 2 || ratio < 0.5) spread[1] = 0;
  }
}

/** @returns whether labels have varied, so that there is something to keep */
function restateLabels(
  { labels, scale, usualLabels }: Memory,
  now: LabelScale | undefined,
): boolean {
  const outputs = now?.outputs.length ?? 1;
  for (const { output, ratio, shift } of restatements(scale, now)) {
    const [mean = 0, usual = 0] = usualLabels.subarray(3 * output, 3 * output + 2);
    usualLabels.set([ratio * mean + shift, ratio * usual], 3 * output);
    for (let i = output; i < labels.length; i += outputs)
      labels[i] = ratio * (labels[i] ?? 0) + shift;
  }
  return haveVaried(now);
}
