import * as tf from '@tensorflow/tfjs';
import { logarithm } from '../arithmetic.ts';
import { layoutOf } from '../features/columns.ts';
import type { PiecewiseLinear } from '../spec/derived-numbers.ts';
import type { Spec } from '../spec/spec.ts';
import { given } from './given-weights.ts';
import { takenNumbers } from './taken-numbers.ts';
import { piecewiseLayer } from './weight-names.ts';

/**
 * A piecewise linear encoding of numbers (Gorishniy et al. 2022): how far through each part of its
 * line a number is, 0 before it and 1 beyond. So a network sees where a number lies, whatever is
 * done with it there, and what is far out is as what is at the end. The parts end at even quantiles
 * of a logistic distribution that is as wide as a normal one, since most numbers are standardised.
 *
 * @param numbers all numbers, [rows, numberWidth]
 * @returns [rows, taken · bins]
 */
export function piecewiseLinear(
  spec: Spec,
  declared: PiecewiseLinear,
  numbers: tf.SymbolicTensor,
): tf.SymbolicTensor {
  const { kernel, bias } = linesOf(spec, declared);
  const lines = tf.layers.dense({
    name: piecewiseLayer,
    units: bias.length,
    trainable: false,
    kernelInitializer: given(kernel),
    biasInitializer: given(bias),
  });
  const bounds = tf.layers.reLU({ name: `${piecewiseLayer}_bounds`, maxValue: 1 });
  return bounds.apply(lines.apply(numbers)) as tf.SymbolicTensor;
}

/** The line of each part, which is 0 where it begins and 1 where it ends. */
function linesOf(spec: Spec, { bins, of }: PiecewiseLinear) {
  const { numberWidth } = layoutOf(spec);
  const columns = takenNumbers(spec, of);
  const units = bins * columns.length;
  const kernel = new Float32Array(numberWidth * units);
  const bias = new Float32Array(units);
  const ends = Array.from({ length: bins + 1 }, (_, i) => quantile((i + 0.5) / (bins + 1)));
  columns.forEach((column, place) => {
    for (let bin = 0; bin < bins; bin++) {
      const [from = 0, to = 0] = ends.slice(bin, bin + 2);
      const unit = place * bins + bin;
      kernel[column * units + unit] = 1 / (to - from);
      bias[unit] = -from / (to - from);
    }
  });
  return { kernel, bias };
}

/** Where so large a share of a logistic distribution ends; 1.702 makes it the normal one nearly. */
function quantile(share: number): number {
  return logarithm(share / (1 - share)) / 1.702;
}
