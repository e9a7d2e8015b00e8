import * as tf from '@tensorflow/tfjs';
import { variablesByName } from '../engine/step.ts';
import { UntraceableError } from '../engine/trace/untraceable.ts';
import { MillraceError } from '../errors.ts';
import { buildNetwork } from '../network/build-network.ts';
import type { NetworkInput } from '../network/network.ts';
import type { Exported, ExportedFeature } from './exported.ts';

/**
 * A tfjs Layers model that takes raw features, an input each by its name, [rows, width]: numbers as
 * float32, categories as int32 indices. It answers what the model answers, [rows, outputs]: values
 * in the label's own unit, probabilities of true, or of each class. Statistics are folded in as
 * layers of the standard kinds, so that tfjs and Keras load it without code of ours.
 */
export async function servedLayers(exported: Exported): Promise<tf.LayersModel> {
  const { model, state, features } = exported;
  tf.enableProdMode();
  await tf.setBackend('cpu');
  const { layersModel, inputs } = await buildNetwork(model.spec);
  for (const [name, variable] of variablesByName(layersModel.weights)) {
    const tensor = state.tensors[name];
    if (tensor === undefined) throw new MillraceError('corrupt', `the state has no tensor ${name}`);
    variable.assign(tf.tensor(tensor.data.slice(), variable.shape));
  }
  for (const { name } of features) {
    if (name.startsWith('_') || name in {})
      throw new UntraceableError(`an input cannot be called ${name} there`);
  }
  const raw = features.map(({ name, width, kind }) =>
    tf.input({ name, shape: [width], dtype: kind === 'category' ? 'int32' : 'float32' }),
  );
  giveWay(layersModel, new Set(features.map(({ name }) => name)));
  const columns = features.map((feature, i) => standardized(feature, raw[i]));
  const taken = inputs.map((input) => inputOf(input, features, columns));
  return tf.model({
    name: `${model.name}-${state.sequence}`,
    inputs: raw,
    outputs: answered(exported, calledWith(layersModel, taken)),
  });
}

/** Layers whose names features have get others: a name stands for one layer. */
function giveWay({ layers }: tf.LayersModel, names: ReadonlySet<string>): void {
  for (const layer of layers) {
    if (!names.has(layer.name)) continue;
    layer.name = `${layer.name}-layer`;
    for (const weight of layer.weights) {
      const own = weight.originalName.replace(/^[^/]*/, layer.name);
      Reflect.set(weight, 'originalName', own);
    }
  }
}

/**
 * The output of a network on other inputs: its layers are called once more, one by one, so that
 * they are layers of the whole and not of a model within it, which Keras counts otherwise.
 */
function calledWith(
  { inputs, outputs }: tf.LayersModel,
  taken: readonly tf.SymbolicTensor[],
): tf.SymbolicTensor {
  const known = new Map(inputs.map((input, i) => [input.id, taken[i]]));
  const calls = new Map<string, tf.SymbolicTensor | tf.SymbolicTensor[]>();
  const rebuilt = (tensor: tf.SymbolicTensor): tf.SymbolicTensor => {
    const input = known.get(tensor.id);
    if (input !== undefined) return input;
    const { sourceLayer: layer, nodeIndex, tensorIndex } = tensor;
    const call = `${layer.name}/${nodeIndex}`;
    let called: tf.SymbolicTensor | tf.SymbolicTensor[] | undefined = calls.get(call);
    if (called === undefined) {
      const own = tensor.inputs.map(rebuilt);
      called = layer.apply(own.length === 1 ? (own[0] ?? own) : own) as tf.SymbolicTensor;
      calls.set(call, called);
    }
    const output = Array.isArray(called) ? called[tensorIndex] : called;
    if (output === undefined) throw new MillraceError('corrupt', `${layer.name} has no output`);
    return output;
  };
  const [output] = outputs;
  if (output === undefined) throw new MillraceError('corrupt', 'the network has no output');
  return rebuilt(output);
}

/**
 * A feature as the network sees it: (value − mean) · scale. The mean is subtracted by a layer of
 * its own, since backends multiply first where they can, and the difference of two large products
 * would lose what tells values apart. What its rounding to float32 missed is made up for later.
 */
function standardized(
  feature: ExportedFeature,
  raw: tf.SymbolicTensor | undefined,
): tf.SymbolicTensor {
  if (raw === undefined) throw new Error(`${feature.name} has no input`);
  if (feature.kind === 'category') return raw;
  const { name, mean, scale } = feature;
  if (mean.every((each) => each === 0) && scale.every((each) => each === 1)) return raw;
  const [zeros, ones] = [0, 1].map((value) => mean.map(() => value));
  const missed = mean.map((each, i) => (Math.fround(each) - each) * (scale[i] ?? 1));
  const distance = affine(`subtract-mean-${name}`, raw, [ones, zeros, mean, ones]);
  return affine(`scale-${name}`, distance, [scale, missed, zeros, ones]);
}

/** A BatchNormalization whose weights are given: gamma, beta, mean, variance. */
function affine(
  name: string,
  input: tf.SymbolicTensor,
  weights: readonly (ArrayLike<number> | undefined)[],
): tf.SymbolicTensor {
  const layer = tf.layers.batchNormalization({ name, epsilon: 0, trainable: false });
  const output = apply(layer, input);
  setWeights(layer, weights);
  return output;
}

/** What one input of the network takes: the columns of some features, in its own shape. */
function inputOf(
  { name, kind, offset, width, shape }: NetworkInput,
  features: readonly ExportedFeature[],
  columns: readonly tf.SymbolicTensor[],
): tf.SymbolicTensor {
  const own = columns.filter((_, i) => {
    const feature = features[i];
    return feature?.kind === kind && feature.offset >= offset && feature.offset < offset + width;
  });
  const [first] = own;
  if (first === undefined) throw new Error(`input ${name} takes no feature`);
  const joined =
    own.length === 1
      ? first
      : apply(tf.layers.concatenate({ name: `columns-${name}`, axis: 1 }), own);
  if (shape.length === 1) return joined;
  return apply(tf.layers.reshape({ name: `shape-${name}`, targetShape: [...shape] }), joined);
}

/** What the model answers, from the network's logits or values. */
function answered({ model, labelScale }: Exported, output: tf.SymbolicTensor): tf.SymbolicTensor {
  const { task } = model.spec;
  if (task !== 'regression') {
    const activation = task === 'binary' ? 'sigmoid' : 'softmax';
    return apply(tf.layers.activation({ name: 'class-probabilities', activation }), output);
  }
  if (labelScale === undefined) return output;
  const layer = tf.layers.dense({ name: 'own-unit', units: 1, trainable: false });
  const value = apply(layer, output);
  setWeights(layer, [[labelScale.deviation], [labelScale.mean]]);
  return value;
}

function apply(
  layer: tf.layers.Layer,
  input: tf.SymbolicTensor | tf.SymbolicTensor[],
): tf.SymbolicTensor {
  return layer.apply(input) as tf.SymbolicTensor;
}

function setWeights(
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
