import type { Floats } from '../../features/samples.ts';
import type { EngineState, Tensor } from '../engine.ts';
import { type Base, power } from './fading.ts';
import { solved } from './solve.ts';
import {
  noiseName,
  precisionName,
  readRow,
  type Stack,
  stackPrior,
  stackWeights,
  weightsName,
} from './stack.ts';
import type { StackSums } from './stack-sums.ts';

/** What all experts said of some samples. */
export type Answers = {
  /** Of each, the stack among them, [count, outputs]. */
  readonly each: readonly Float32Array[];
  readonly labels: Floats;
  readonly weights?: Float32Array | undefined;
  readonly count: number;
  /** See {@link StackSums.unit}. */
  readonly unit: number;
};

/** What is kept of what was learnt, with each sample. */
const kept: Base = { base: 0.9999, logarithm: -0.000100005000333358 };
/** The same of the noise of a regression. */
const noiseKept: Base = { base: 0.98, logarithm: -0.020202707317519466 };
/** From so many deviations of the noise on, an error says no more (Huber 1964). */
const mostDeviations = 1.345;
/** The least deviation of the noise, in the unit of labels. */
const leastNoise = 1e-3;
/** What is added to the diagonal of precision, as a share of it. */
const leastRidge = 1e-5;
/** No weight is larger. */
const mostWeight = 8;

/** What is learnt from samples before any. */
function noSums({ networks: { length } }: Stack): StackSums {
  return {
    gradient: new Float64Array(length),
    curvature: new Float64Array(length * length),
    squares: 0,
    unit: 1,
  };
}

/** What is learnt from some more samples. */
export function stackSums(
  stack: Stack,
  { tensors }: Pick<EngineState, 'tensors'>,
  { each, labels, weights, count, unit }: Answers,
  before: StackSums = noSums(stack),
): StackSums {
  const others = each.filter((_, i) => i !== stack.index);
  const own = each[stack.index] ?? new Float32Array(0);
  const outputs = own.length / Math.max(count, 1);
  // (Sums that go on from others are rounded otherwise than those that are added to them.)
  const goesOn = stack.repeating < 0 || stack.isCountedLast;
  const { gradient, curvature } = goesOn ? before : noSums(stack);
  const sums = { gradient: gradient.slice(), curvature: curvature.slice() };
  let { squares } = before;
  const said = new Float64Array(others.length * outputs);
  const mostError = mostDeviations * (tensors[noiseName]?.data[0] ?? 0);
  for (let row = 0; row < count; row++) {
    const weight = weights?.[row] ?? 1;
    if (weight === 0) continue;
    readRow(stack, others, row, said);
    const answers = own.subarray(row * outputs, (row + 1) * outputs);
    if (stack.task === 'regression') {
      answers.forEach((answer, at) => {
        const error = answer - (labels[row * outputs + at] ?? 0);
        const size = Math.abs(error) * unit;
        const isFar = mostError > 0 && size > mostError;
        const heard = ((isFar ? mostError / size : 1) * weight) / outputs;
        squares += (weight * size * size) / outputs;
        const values = Float64Array.from(others, (_, i) => said[i * outputs + at] ?? 0);
        add(sums, values, { error: heard * error, heard });
      });
    } else if (stack.task === 'binary') {
      const [share = 0] = answers;
      const error = weight * (share - (labels[row] ?? 0));
      add(sums, said, { error, heard: weight * share * (1 - share) });
    } else addShares(sums, said, answers, { label: labels[row] ?? 0, weight });
  }
  if (goesOn) return { ...sums, squares, unit };
  countOnce(sums, stack.repeating, count);
  return {
    gradient: sums.gradient.map((sum, i) => sum + (before.gradient[i] ?? 0)),
    curvature: sums.curvature.map((sum, i) => sum + (before.curvature[i] ?? 0)),
    squares,
    unit,
  };
}

/**
 * Counts what one of the others said of all samples as if it had said it of one. Where labels are
 * mostly 0, the last one says 0 of some long messages: each of their samples would tell that it is
 * a constant to be counted on, until it is another.
 */
function countOnce({ gradient, curvature }: Sums, other: number, count: number): void {
  const { length } = gradient;
  gradient[other] = (gradient[other] ?? 0) / count;
  for (let i = 0; i < length; i++)
    for (const place of new Set([i * length + other, other * length + i]))
      curvature[place] = (curvature[place] ?? 0) / count;
}

type Sums = Pick<StackSums, 'gradient' | 'curvature'>;

/**
 * Adds what is learnt from a number.
 *
 * @param values what each of the others says, [others]
 * @param error how far the stack is off, by how much is heard
 * @param heard how much the sample says
 */
function add(
  { gradient, curvature }: Sums,
  values: Float64Array,
  { error, heard }: { readonly error: number; readonly heard: number },
): void {
  const { length } = values;
  values.forEach((value, i) => {
    gradient[i] = (gradient[i] ?? 0) + error * value;
    for (let j = 0; j < length; j++)
      curvature[i * length + j] =
        (curvature[i * length + j] ?? 0) + heard * value * (values[j] ?? 0);
  });
}

/**
 * Adds what is learnt from a sample of several classes.
 *
 * @param said what each of the others says, [others, classes]; it is overwritten
 * @param shares what the stack says, [classes]
 */
function addShares(
  { gradient, curvature }: Sums,
  said: Float64Array,
  shares: Float32Array,
  { label, weight }: { readonly label: number; readonly weight: number },
): void {
  const classes = shares.length;
  const { length } = gradient;
  // What each says on average, by the shares: curvature is of the way from there.
  for (let i = 0; i < length; i++) {
    const own = said.subarray(i * classes, (i + 1) * classes);
    const mean = own.reduce((sum, value, at) => sum + value * (shares[at] ?? 0), 0);
    gradient[i] = (gradient[i] ?? 0) + weight * (mean - (own[label] ?? 0));
    for (let at = 0; at < classes; at++) own[at] = (own[at] ?? 0) - mean;
  }
  for (let i = 0; i < length; i++)
    for (let j = 0; j <= i; j++) {
      let product = 0;
      for (let at = 0; at < classes; at++)
        product +=
          (shares[at] ?? 0) * (said[i * classes + at] ?? 0) * (said[j * classes + at] ?? 0);
      const places = i === j ? [i * length + i] : [i * length + j, j * length + i];
      for (const place of places) curvature[place] = (curvature[place] ?? 0) + weight * product;
    }
}

/**
 * A state whose stack has learnt, by a Newton step, from some samples.
 *
 * @param count how many they are, and Σ of their weights: they say no more than so many of weight 1
 */
export function withStack(
  { task, repeating, isCountedLast }: Stack,
  state: EngineState,
  { gradient: own, curvature: pairs, squares, unit }: StackSums,
  { count, weight }: { readonly count: number; readonly weight: number },
): EngineState {
  const [gradient, curvature] = [own.slice(), pairs.slice()];
  if (isCountedLast && repeating >= 0) countOnce({ gradient, curvature }, repeating, count);
  const { length } = gradient;
  const [weights, precision] = [stackWeights(state), state.tensors[precisionName]];
  if (weight === 0 || precision === undefined) return state;
  const knownNoise = state.tensors[noiseName]?.data[0] ?? 0;
  const before = knownNoise > 0 ? power(noiseKept, weight) : 0;
  const noise = Math.sqrt(before * knownNoise ** 2 + (1 - before) * (squares / weight));
  const certain = task === 'regression' ? (unit / Math.max(noise, leastNoise * unit)) ** 2 : 1;
  const heard = certain * Math.min(1, count / weight);
  const left = power(kept, Math.min(count, weight));
  const after = precision.data.map((each, i) => {
    const again = i % (length + 1) === 0 ? (1 - left) * stackPrior : 0;
    return left * each + again + heard * (curvature[i] ?? 0);
  });
  // (Float32 has rounded it, so that of experts that nearly agree it may be none.)
  const regular = Float64Array.from(after, (each, i) =>
    i % (length + 1) === 0 ? each * (1 + leastRidge) : each,
  );
  const step = solved(regular, gradient);
  const hasSolution = step.every(Number.isFinite) && after.every(Number.isFinite);
  if (!hasSolution) return state;
  const learnt = weights.map((own, i) =>
    Math.min(Math.max(own - heard * (step[i] ?? 0), -mostWeight), mostWeight),
  );
  const changed: Record<string, Tensor> = {
    [weightsName]: { shape: [length], data: learnt },
    [precisionName]: { shape: precision.shape, data: after },
    ...(task === 'regression' && { [noiseName]: { shape: [1], data: Float32Array.of(noise) } }),
  };
  return { ...state, tensors: { ...state.tensors, ...changed } };
}
