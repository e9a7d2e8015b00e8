import * as tf from '@tensorflow/tfjs';
import type { EngineState } from '../engine/engine.ts';
import {
  lineOfShares,
  mostLogOdds,
  readRow,
  type Stack,
  stackWeights,
} from '../engine/experts/stack.ts';
import { never } from '../features/classes.ts';
import type { Range } from '../features/scaling.ts';
import { apply, bounded, eachTimes, probabilities, setWeights } from './layers.ts';

/**
 * What one of the experts that are stacked says: by a network, by layers that have no logits, or
 * the same of every sample.
 */
export type Stacked =
  | { readonly logits: tf.SymbolicTensor; readonly answer: tf.SymbolicTensor }
  | { readonly answer: tf.SymbolicTensor }
  | { readonly constant: Float32Array };

/** What answers may be. */
export type AnswerBounds = {
  /** Between what each output of a regression is. */
  readonly ranges: readonly (Range | undefined)[];
  /** How many classes have places: the first ones. */
  readonly classes: number;
};

/**
 * The answer of a stack as layers: what each says, within bounds, times its weight.
 *
 * @param others in their order
 */
export function stackedOutput(
  stack: Stack,
  state: EngineState,
  others: readonly Stacked[],
  { ranges, classes }: AnswerBounds,
): tf.SymbolicTensor {
  const weights = stackWeights(state);
  const said: tf.SymbolicTensor[] = [];
  const kernel: number[] = [];
  const width = others.reduce((most, other) => Math.max(most, widthOf(other)), 1);
  const bias = new Float64Array(width);
  others.forEach((other, i) => {
    const weight = weights[i] ?? 0;
    if ('constant' in other) {
      const own = new Float64Array(width);
      const byShares = [stack.byShares[i] === true];
      readRow({ task: stack.task, byShares }, [other.constant], 0, own);
      own.forEach((value, output) => {
        bias[output] = (bias[output] ?? 0) + weight * value;
      });
      return;
    }
    const name = `stack-${i + 1}`;
    said.push(
      'logits' in other
        ? saidBy(stack, other, name, classes)
        : saidByShares(stack, other.answer, name),
    );
    for (let from = 0; from < width; from++)
      for (let to = 0; to < width; to++) kernel.push(from === to ? weight : 0);
  });
  if (stack.task === 'multiclass') bias.fill(never, classes);
  const [first, ...more] = said;
  const joined =
    first === undefined || more.length === 0
      ? first
      : apply(tf.layers.concatenate({ name: 'stack-said', axis: 1 }), said);
  if (joined === undefined) throw new Error('nothing is stacked');
  const layer = tf.layers.dense({ name: 'stack-sum', units: width, trainable: false });
  const sum = apply(layer, joined);
  setWeights(layer, [kernel, bias]);
  return stack.task === 'regression'
    ? bounded('stack', sum, ranges)
    : probabilities('stack-probabilities', stack.task, sum);
}

function widthOf(other: Stacked): number {
  return 'constant' in other ? other.constant.length : Number(other.answer.shape.at(-1));
}

/** What is added up of shares; see {@link Stack.byShares}. */
function saidByShares({ task }: Stack, answer: tf.SymbolicTensor, name: string): tf.SymbolicTensor {
  if (task === 'regression') return answer;
  const width = Number(answer.shape.at(-1));
  const { slope, alike } = lineOfShares(width);
  return eachTimes(`${name}-from-alike`, answer, {
    factors: Array.from({ length: width }, () => slope),
    offsets: Array.from({ length: width }, () => -slope * alike),
  });
}

/** What is added up of a network: log-odds, or logarithms of shares from their mean. */
function saidBy(
  { task }: Stack,
  { logits, answer }: Extract<Stacked, { logits: tf.SymbolicTensor }>,
  name: string,
  classes: number,
): tf.SymbolicTensor {
  if (task === 'regression') return answer;
  const width = Number(logits.shape.at(-1));
  const ranges = Array.from({ length: width }, (): Range => [-mostLogOdds, mostLogOdds]);
  if (task === 'binary') return bounded(name, logits, ranges);
  const layer = tf.layers.dense({ name: `${name}-centred`, units: width, trainable: false });
  const centred = apply(layer, logits);
  const isIn = (place: number) => place < classes;
  const kernel = Array.from({ length: width * width }, (_, i) => {
    const [from, to] = [Math.floor(i / width), i % width];
    return isIn(from) && isIn(to) ? Number(from === to) - 1 / classes : 0;
  });
  setWeights(layer, [kernel, new Float64Array(width)]);
  return bounded(name, centred, ranges);
}
