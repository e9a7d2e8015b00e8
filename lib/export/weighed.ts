import * as tf from '@tensorflow/tfjs';
import { invalid } from '../errors.ts';
import { apply, eachTimes, setWeights } from './layers.ts';

/**
 * Probabilities as they would be if samples came so often as their class weighs, by layers of the
 * standard kinds; see `weighedAnswers`. What divides is softsign, x / (1 + x) of what is not
 * negative.
 *
 * @param shares probabilities of true, or of each class
 * @param weights what each class weighs; of true or false, both
 */
export function weighedOutput(shares: tf.SymbolicTensor, weights: Float64Array): tf.SymbolicTensor {
  const outputs = Number(shares.shape.at(-1));
  return outputs === 1 ? weighedTrue(shares, weights) : weighedShares(shares, weights);
}

/** p → r p / (1 + (r − 1) p), of what is the heavier one: true, or false. */
function weighedTrue(
  shares: tf.SymbolicTensor,
  [ofFalse = 1, ofTrue = 1]: Float64Array,
): tf.SymbolicTensor {
  if (ofFalse === ofTrue) return shares;
  const isTrue = ofTrue > ofFalse;
  const ratio = isTrue ? ofTrue / ofFalse : ofFalse / ofTrue;
  const more = ratio - 1;
  // (Of false, the share is what true leaves of 1.)
  const line = (name: string, input: tf.SymbolicTensor, factor: number, whole: number) =>
    eachTimes(name, input, {
      factors: [isTrue ? factor : -factor],
      offsets: [isTrue ? 0 : whole],
    });
  const divided = softsign('class-weights-divided', line('class-weights', shares, more, more));
  return line('weighed-classes', divided, ratio / more, 1);
}

/** Each share times its weight, by the sum of all: 1 + Σ (weight / the least − 1) · share. */
function weighedShares(shares: tf.SymbolicTensor, weights: Float64Array): tf.SymbolicTensor {
  const least = Math.min(...weights);
  const ratios = Array.from(weights, (weight) => weight / least);
  if (ratios.every((ratio) => ratio === 1)) return shares;
  const zeros = ratios.map(() => 0);
  const weighed = eachTimes('class-weights', shares, { factors: ratios, offsets: zeros });
  const layer = tf.layers.dense({
    name: 'class-weights-more',
    units: ratios.length,
    trainable: false,
  });
  const more = apply(layer, shares);
  setWeights(layer, [ratios.flatMap((ratio) => ratios.map(() => ratio - 1)), zeros]);
  const divided = softsign('class-weights-divided', more);
  const times = (name: string, each: tf.SymbolicTensor[]) =>
    apply(tf.layers.multiply({ name }), each);
  const fromOne = (name: string, input: tf.SymbolicTensor, from: number) =>
    eachTimes(name, input, { factors: ratios.map(() => -1), offsets: ratios.map(() => from) });
  // 1 / (1 + x), by steps of Newton: of large x the difference that it begins with is rough.
  const sum = eachTimes('class-weights-sum', more, {
    factors: ratios.map(() => 1),
    offsets: ratios.map(() => 1),
  });
  const steps = stepsFor(Math.max(...ratios));
  let inverse = fromOne('class-weights-rough', divided, 1);
  for (let step = 1; step <= steps; step++) {
    const product = times(`class-weights-product-${step}`, [sum, inverse]);
    const correction = fromOne(`class-weights-correction-${step}`, product, 2);
    inverse = times(`class-weights-inverse-${step}`, [inverse, correction]);
  }
  return times('weighed-classes', [weighed, inverse]);
}

/** The part that rounding to float32 may take of 1, and what may be left of an error. */
const [rounding, leastError] = [2 ** -23, 2 ** -24];
/** Weights that differ by more have no rough inverse to begin with. */
const mostRatio = 4_000_000;

/**
 * Steps of Newton, each of which squares the error of an inverse.
 *
 * @throws MillraceError kind `invalid` if weights differ by too much
 */
function stepsFor(ratio: number): number {
  if (ratio > mostRatio)
    throw invalid(
      `label.classWeights: classes that weigh more than ${mostRatio} times as much as others ` +
        'cannot be exported as layers; export safetensors instead',
    );
  let steps = 1;
  for (let error = (ratio * rounding) ** 2; error > leastError; error *= error) steps++;
  return steps;
}

function softsign(name: string, input: tf.SymbolicTensor): tf.SymbolicTensor {
  return apply(tf.layers.activation({ name, activation: 'softsign' }), input);
}
