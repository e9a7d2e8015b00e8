import * as tf from '@tensorflow/tfjs';
import { layoutOf } from '../features/columns.ts';
import type { Quadratic } from '../spec/derived-numbers.ts';
import type { Spec } from '../spec/spec.ts';
import { given } from './given-weights.ts';
import { takenNumbers } from './taken-numbers.ts';
import { quadraticLayer, quadraticSides } from './weight-names.ts';

/**
 * The square of each number and the product of each pair: by these a linear model sees how far from
 * their middle numbers are, and what two of them say together.
 *
 * @param numbers all numbers, [rows, numberWidth]
 * @returns [rows, taken · (taken + 1) / 2]
 */
export function quadratic(
  spec: Spec,
  declared: Quadratic,
  numbers: tf.SymbolicTensor,
): tf.SymbolicTensor {
  const { numberWidth } = layoutOf(spec);
  const pairs = pairsOf(takenNumbers(spec, declared.of));
  const factors = quadraticSides.map((name, side) => {
    const kernel = new Float32Array(numberWidth * pairs.length);
    pairs.forEach((pair, unit) => {
      kernel[(pair[side] ?? 0) * pairs.length + unit] = 1;
    });
    const picks = tf.layers.dense({
      name,
      units: pairs.length,
      useBias: false,
      trainable: false,
      kernelInitializer: given(kernel),
    });
    return picks.apply(numbers) as tf.SymbolicTensor;
  });
  return tf.layers.multiply({ name: quadraticLayer }).apply(factors) as tf.SymbolicTensor;
}

/** Each column with itself, and with each behind it. */
function pairsOf(columns: readonly number[]): readonly (readonly [number, number])[] {
  return columns.flatMap((first, place) =>
    columns.slice(place).map((second) => [first, second] as const),
  );
}
