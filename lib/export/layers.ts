import * as tf from '@tensorflow/tfjs';
import { MillraceError } from '../errors.ts';
import type { Range } from '../features/scaling.ts';

/**
 * The output of a network on other inputs: its layers are called once more, one by one, so that
 * they are layers of the whole and not of a model within it, which Keras counts otherwise.
 *
 * @param call what calls a layer, if not the layer itself
 */
export function calledWith(
  { inputs, outputs }: tf.LayersModel,
  taken: readonly tf.SymbolicTensor[],
  call: typeof apply = apply,
): tf.SymbolicTensor {
  const known = new Map(inputs.map((input, i) => [input.id, taken[i]]));
  const calls = new Map<string, tf.SymbolicTensor | tf.SymbolicTensor[]>();
  const rebuilt = (tensor: tf.SymbolicTensor): tf.SymbolicTensor => {
    const input = known.get(tensor.id);
    if (input !== undefined) return input;
    const { sourceLayer: layer, nodeIndex, tensorIndex } = tensor;
    const key = `${layer.name}/${nodeIndex}`;
    let called: tf.SymbolicTensor | tf.SymbolicTensor[] | undefined = calls.get(key);
    if (called === undefined) {
      const own = tensor.inputs.map(rebuilt);
      called = call(layer, own.length === 1 ? (own[0] ?? own) : own);
      calls.set(key, called);
    }
    const output = Array.isArray(called) ? called[tensorIndex] : called;
    if (output === undefined) throw new MillraceError('corrupt', `${layer.name} has no output`);
    return output;
  };
  const [output] = outputs;
  if (output === undefined) throw new MillraceError('corrupt', 'the network has no output');
  return rebuilt(output);
}

/** Probabilities of true, or of each class, from logits. */
export function probabilities(
  name: string,
  task: 'binary' | 'multiclass',
  logits: tf.SymbolicTensor,
): tf.SymbolicTensor {
  const activation = task === 'binary' ? 'sigmoid' : 'softmax';
  return apply(tf.layers.activation({ name, activation }), logits);
}

/** The output of a layer. */
export function apply(
  layer: tf.layers.Layer,
  input: tf.SymbolicTensor | tf.SymbolicTensor[],
): tf.SymbolicTensor {
  return layer.apply(input) as tf.SymbolicTensor;
}

/** Gives a layer its weights, in its order and shapes. */
export function setWeights(
  layer: tf.layers.Layer,
  values: readonly (ArrayLike<number> | undefined)[],
): void {
  tf.tidy(() => {
    layer.setWeights(
      layer.weights.map(({ shape }, i) =>
        tf.tensor(Float32Array.from(values[i] ?? []), shape.map(Number)),
      ),
    );
  });
}

/** A BatchNormalization whose weights are given: gamma, beta, mean, variance. */
export function affine(
  name: string,
  input: tf.SymbolicTensor,
  weights: readonly (ArrayLike<number> | undefined)[],
): tf.SymbolicTensor {
  const layer = tf.layers.batchNormalization({ name, epsilon: 0, trainable: false });
  const output = apply(layer, input);
  setWeights(layer, weights);
  return output;
}

/** A layer that takes each output times a factor, plus an offset. */
export function eachTimes(
  name: string,
  input: tf.SymbolicTensor,
  { factors, offsets }: { readonly factors: Iterable<number>; readonly offsets: ArrayLike<number> },
): tf.SymbolicTensor {
  const own = [...factors];
  const layer = tf.layers.dense({ name, units: own.length, trainable: false });
  const output = apply(layer, input);
  const diagonal = own.flatMap((factor, from) => own.map((_, to) => (from === to ? factor : 0)));
  setWeights(layer, [diagonal, offsets]);
  return output;
}

/** Values no further than the range of each output. */
export function bounded(
  name: string,
  output: tf.SymbolicTensor,
  ranges: readonly (Range | undefined)[],
): tf.SymbolicTensor {
  if (ranges.every((range) => range === undefined)) return output;
  // (Of an output whose labels have not varied, what a network says is nothing.)
  const own = ranges.map((range): Range => range ?? [0, 1]);
  const [first = [0, 1]] = own;
  // A rectifier lets through what is between 0 and its largest value, the same for all.
  const most = own.length === 1 ? first[1] - first[0] : 1;
  const widths = own.map(([least, greatest]) => (greatest - least) / most);
  const leasts = own.map(([least]) => least);
  const shifted = eachTimes(`${name}-from-least`, output, {
    factors: widths.map((width) => 1 / width),
    offsets: leasts.map((least, i) => -least / (widths[i] ?? 1)),
  });
  const layer = tf.layers.reLU({ name: `${name}-in-range`, maxValue: most });
  return eachTimes(`${name}-to-least`, apply(layer, shifted), { factors: widths, offsets: leasts });
}
