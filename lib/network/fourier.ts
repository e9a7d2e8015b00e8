import * as tf from '@tensorflow/tfjs';
import { cosineOfPi, logarithm } from '../arithmetic.ts';
import { layoutOf } from '../features/columns.ts';
import { bitsAt, hashIntegers } from '../features/hash.ts';
import type { Fourier } from '../spec/derived-numbers.ts';
import type { Spec } from '../spec/spec.ts';
import { given } from './given-weights.ts';
import { takenNumbers } from './taken-numbers.ts';
import { fourierLayer } from './weight-names.ts';

/** A stream of random numbers that has nothing to do with those of initial weights. */
const fourierStream = 0x666f;

/** W, [width, units], and b, [units]. */
type Values = readonly [frequencies: Float32Array, phases: Float32Array];

/**
 * Random Fourier features: √2 · cos(x·W + b), whose products are those of the kernel
 * exp(−‖x − y‖² / 2h²) on average (Rahimi and Recht 2007). W is normal with deviation 1 / h, b is
 * even from 0 to 2π; both stay as their seed has them.
 */
export class RandomFourier extends tf.layers.Layer {
  static readonly className = 'RandomFourier';
  readonly #values: Values;

  constructor(name: string, values: Values) {
    super({ name, trainable: false });
    this.#values = values;
  }

  override build(): void {
    const [frequencies, phases] = this.#values;
    const shape = [frequencies.length / phases.length, phases.length];
    this.addWeight('frequencies', shape, 'float32', given(frequencies), undefined, false);
    this.addWeight('phases', [phases.length], 'float32', given(phases), undefined, false);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [frequencies, phases] = this.weights.map((weight) => weight.read());
    const [input] = Array.isArray(inputs) ? inputs : [inputs];
    if (input === undefined || frequencies === undefined || phases === undefined)
      throw new Error(`${this.name} is not built`);
    return tf.tidy(() => {
      const products = tf.matMul(input as tf.Tensor2D, frequencies as tf.Tensor2D);
      return tf.mul(Math.SQRT2, tf.cos(tf.add(products, phases)));
    });
  }

  override computeOutputShape([rows = null]: tf.Shape): tf.Shape {
    return [rows, this.#values[1].length];
  }
}

/** The layer of a spec, from its seed. */
export function fourierOf(spec: Spec, { units, bandwidth, of }: Fourier): RandomFourier {
  const { numberWidth } = layoutOf(spec);
  const taken = takenNumbers(spec, of);
  const width = bandwidth ?? 0.35 * Math.sqrt(taken.length);
  const key = hashIntegers(spec.seed, fourierStream);
  const frequencies = new Float32Array(numberWidth * units);
  for (const column of taken)
    for (let i = column * units; i < (column + 1) * units; i++)
      frequencies[i] = normal(key, i) / width;
  const phases = Float32Array.from(
    { length: units },
    (_, unit) => 2 * Math.PI * even(key, 2 * frequencies.length + unit),
  );
  return new RandomFourier(fourierLayer, [frequencies, phases]);
}

/** A number that is even between 0 and 1, both excluded. */
function even(key: number, index: number): number {
  return (bitsAt(key, index) + 0.5) / 2 ** 32;
}

/** A number of mean 0 and deviation 1 (Box and Muller 1958). */
function normal(key: number, index: number): number {
  const turn = even(key, 2 * index + 1);
  const size = Math.sqrt(-2 * logarithm(even(key, 2 * index)));
  return size * cosineOfPi(turn <= 0.5 ? 2 * turn : 2 - 2 * turn);
}
