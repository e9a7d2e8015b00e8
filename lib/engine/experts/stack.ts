import { logarithm, sigmoid, softmax } from '../../arithmetic.ts';
import type { Task } from '../../features/task.ts';
import {
  type Expert,
  isNetwork,
  isOfNeighbours,
  isStack,
  predictsBy,
} from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensors } from '../engine.ts';

/**
 * An expert that answers by what the others say: by the sum of their log-odds, or of their values
 * in a regression, each times a weight that is learnt by second order (stacking, Wolpert 1992; of
 * classes a logarithmic opinion pool, Heskes 1998). So answers that are all too sure, or not sure
 * enough, are mended, and what two experts know together is more than either knows.
 */
export type Stack = {
  readonly task: Task;
  /** Its place among the experts. */
  readonly index: number;
  /** Whether each of the others is a network, in their order. */
  readonly networks: readonly boolean[];
  /** Whether each is added up by its shares, not their log-odds: those of neighbours may be 0. */
  readonly byShares: readonly boolean[];
  /**
   * The place among the others of one that says the same of a whole message; −1 if there is none,
   * or it is taken for what the others are.
   */
  readonly repeating: number;
  /**
   * Whether that one counts once among all samples that are judged, rather than once for each time
   * that some are predicted. (Of specs since revision 20.)
   */
  readonly isCountedLast: boolean;
};

/** The names of its tensors. */
export const [weightsName, precisionName, noiseName] = [
  'weights/mixture/stack_weights',
  'weights/mixture/stack_precision',
  'weights/mixture/stack_noise',
] as const;

/** Nobody is taken to be surer: ln of 10,000 to 1. */
export const mostLogOdds = 9.2;
const leastShare = 1e-30;
/** What differences of shares are times: about one half, log-odds change so fast. */
const slopeOfShares = 4;
/** How sure it is of the weights that it begins with, as a sum of squares. */
export const stackPrior = 30;

/** The stack among experts, if there is one. */
export function stackAmong(
  { task, revision = 0 }: Spec,
  experts: readonly Expert[],
): Stack | undefined {
  const index = experts.findIndex(isStack);
  if (index < 0) return undefined;
  const others = experts.filter((_, i) => i !== index);
  const isWary = task === 'regression' && revision >= 19;
  const last = others.findIndex((each) => predictsBy(each, 'lastLabel'));
  const networks = others.map(isNetwork);
  const byShares = others.map((each) => task !== 'regression' && isOfNeighbours(each));
  const repeating = isWary ? last : -1;
  return { task, index, networks, byShares, repeating, isCountedLast: revision >= 20 };
}

/** What it knows before the first sample: that all others are as good. */
export function emptyStack({ task, networks: { length } }: Stack): Tensors {
  const precision = new Float32Array(length * length);
  for (let i = 0; i < length; i++) precision[i * length + i] = stackPrior;
  return {
    [weightsName]: { shape: [length], data: new Float32Array(length).fill(1 / length) },
    [precisionName]: { shape: [length, length], data: precision },
    ...(task === 'regression' && { [noiseName]: { shape: [1], data: new Float32Array(1) } }),
  };
}

/** How much the answer of each of the others counts in a state, [others]. */
export function stackWeights({ tensors }: Pick<EngineState, 'tensors'>): Float32Array {
  return tensors[weightsName]?.data ?? new Float32Array(0);
}

/**
 * What it answers.
 *
 * @param others what each of the others says, [count, outputs]
 */
export function stackedAnswer(
  stack: Stack,
  state: Pick<EngineState, 'tensors'>,
  others: readonly Float32Array[],
  count: number,
): Float32Array {
  const [first = new Float32Array(0)] = others;
  const outputs = first.length / Math.max(count, 1);
  const answers = new Float32Array(first.length);
  const said = new Float64Array(others.length * outputs);
  const sums = new Float64Array(outputs);
  const weights = stackWeights(state);
  for (let row = 0; row < count; row++) {
    readRow(stack, others, row, said);
    sums.fill(0);
    for (let i = 0; i < said.length; i++) {
      const at = i % outputs;
      sums[at] = (sums[at] ?? 0) + (weights[Math.floor(i / outputs)] ?? 0) * (said[i] ?? 0);
    }
    if (stack.task !== 'regression') toShares(stack, sums, others, row);
    answers.set(sums, row * outputs);
  }
  return answers;
}

/** What others said of a row, as it is added up, [others, outputs]. */
export function readRow(
  { task, byShares }: Pick<Stack, 'task' | 'byShares'>,
  others: readonly Float32Array[],
  row: number,
  said: Float64Array,
): void {
  const outputs = said.length / others.length;
  others.forEach((answers, expert) => {
    const own = said.subarray(expert * outputs, (expert + 1) * outputs);
    own.set(answers.subarray(row * outputs, (row + 1) * outputs));
    if (byShares[expert]) {
      const { slope, alike } = lineOfShares(outputs);
      for (let i = 0; i < outputs; i++) own[i] = slope * ((own[i] ?? 0) - alike);
    } else if (task === 'binary') {
      const share = own[0] ?? 0;
      own[0] = withinLogOdds(logOf(share) - logOf(1 - share));
    } else if (task === 'multiclass') centre(own);
  });
}

/** What is added up of shares: how much more they are than if all were alike, times a slope. */
export function lineOfShares(outputs: number): { readonly slope: number; readonly alike: number } {
  return { slope: slopeOfShares, alike: 1 / Math.max(2, outputs) };
}

/** Logarithms of shares, from their mean over the classes that any share goes to. */
function centre(shares: Float64Array): void {
  let [sum, count] = [0, 0];
  for (const share of shares) {
    if (share === 0) continue;
    sum += logOf(share);
    count += 1;
  }
  const mean = count === 0 ? 0 : sum / count;
  for (let i = 0; i < shares.length; i++) shares[i] = withinLogOdds(logOf(shares[i] ?? 0) - mean);
}

function logOf(share: number): number {
  return logarithm(Math.max(share, leastShare));
}

function withinLogOdds(value: number): number {
  return Math.min(Math.max(value, -mostLogOdds), mostLogOdds);
}

/** Log-odds become probabilities, in place; 0 for classes that no network gives a share. */
function toShares(
  { task, networks }: Stack,
  sums: Float64Array,
  others: readonly Float32Array[],
  row: number,
): void {
  if (task === 'binary') {
    sums[0] = sigmoid(sums[0] ?? 0);
    return;
  }
  const isOut = (at: number) =>
    others.every((each, i) => networks[i] !== true || each[row * sums.length + at] === 0);
  for (let at = 0; at < sums.length; at++) if (isOut(at)) sums[at] = Number.NEGATIVE_INFINITY;
  softmax(sums);
}
