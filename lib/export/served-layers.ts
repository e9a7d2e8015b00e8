import * as tf from '@tensorflow/tfjs';
import { RandomFourier } from '../network/fourier.ts';
import type { NetworkInput } from '../network/network.ts';
import { cosineLayers, type Reach, reachOf } from './cosines.ts';
import {
  type Exported,
  type ExportedFeature,
  scalesUnder,
  scaleVectors,
  takesIndex,
} from './exported.ts';
import { affine, apply, calledWith, eachTimes, probabilities } from './layers.ts';
import { servedNetwork } from './served-network.ts';

/**
 * A tfjs Layers model that takes raw features, an input each by its name, [rows, width]: numbers as
 * float32, categories as int32 indices. It answers what the model answers, [rows, outputs]: values
 * in the label's own unit, probabilities of true, or of each class. Statistics are folded in as
 * layers of the standard kinds, so that tfjs and Keras load it without code of ours.
 */
export async function servedLayers(exported: Exported): Promise<tf.LayersModel> {
  const { model, state, features } = exported;
  await tf.setBackend('cpu');
  const { layersModel, inputs, isAnswer } = await servedNetwork(model, state);
  const asked = features.map((feature) => {
    const { layer: name, width } = feature;
    if (!takesIndex(feature)) return tf.input({ name, shape: [width], dtype: 'float32' });
    return tf.input({ name, shape: [1], dtype: 'int32' });
  });
  giveWay(layersModel, new Set(features.map(({ layer }) => layer)));
  const raw = features.map((feature, i) => rowsOfTable(feature, asked[i]));
  const views = new Map<number | undefined, tf.SymbolicTensor[]>();
  const columnsUnder = (view: number | undefined) => {
    const columns =
      views.get(view) ?? features.map((feature, i) => standardized(feature, raw[i], view));
    views.set(view, columns);
    return columns;
  };
  const taken = inputs.map((input) => inputOf(input, features, columnsUnder(input.view)));
  return tf.model({
    name: `${model.name}-${state.sequence}`,
    inputs: asked,
    outputs: answered(
      exported,
      calledWith(layersModel, taken, ofStandardKinds(reachOf(exported))),
      isAnswer,
    ),
  });
}

/** Calls a layer, or those that stand for it where tfjs and Keras do not have it. */
function ofStandardKinds(reach: Reach): typeof apply {
  return (layer, input) => {
    const [first] = Array.isArray(input) ? input : [input];
    return layer instanceof RandomFourier && first !== undefined
      ? cosineLayers(layer, first, reach)
      : apply(layer, input);
  };
}

/** What layers around the network are called, as far as that is not the name of what they take. */
const aroundIt = new RegExp(
  '^(class-probabilities|own-unit)$|' +
    '^(means|row|subtract-mean|scale|shift|bound|shift-back|open|both|columns|shape)-',
);

/**
 * Layers whose names features, or layers around them, have get others: a name stands for one layer.
 * (A network that was exported and imported has had such layers around it.)
 */
function giveWay({ layers }: tf.LayersModel, features: ReadonlySet<string>): void {
  const taken = new Set([...features, ...layers.map(({ name }) => name)]);
  for (const layer of layers) {
    if (!features.has(layer.name) && !aroundIt.test(layer.name)) continue;
    let name = `${layer.name}-layer`;
    while (taken.has(name) || aroundIt.test(name)) name = `inner-${name}`;
    taken.add(name);
    const before = `${layer.name}/`;
    layer.name = name;
    // (Those of layers inside of it have names of their own.)
    for (const weight of layer.weights)
      if (weight.originalName.startsWith(before))
        Reflect.set(weight, 'originalName', `${name}/${weight.originalName.slice(before.length)}`);
  }
}

/** The numbers of a feature: what came in, or the row of its table that did. */
function rowsOfTable(
  feature: ExportedFeature,
  input: tf.SymbolicTensor | undefined,
): tf.SymbolicTensor | undefined {
  if (feature.kind === 'category' || feature.table === undefined || input === undefined)
    return input;
  const { layer: name, width, table } = feature;
  const rows = table.length / width;
  const own = { name: `means-${name}`, inputDim: rows, outputDim: width, trainable: false };
  const embedding = tf.layers.embedding(own);
  const looked = apply(embedding, input);
  embedding.setWeights([tf.tensor2d(Float32Array.from(table), [rows, width])]);
  return apply(tf.layers.flatten({ name: `row-${name}` }), looked);
}

/**
 * A feature as the network sees it: (value − mean) · scale. The mean is subtracted by a layer of
 * its own, since backends multiply first where they can, and the difference of two large products
 * would lose what tells values apart. What its rounding to float32 missed is made up for later.
 */
function standardized(
  feature: ExportedFeature,
  raw: tf.SymbolicTensor | undefined,
  view?: number,
): tf.SymbolicTensor {
  if (raw === undefined) throw new Error(`${feature.name} has no input`);
  if (feature.kind === 'category') return raw;
  const { mean, scale, most } = scalesUnder(feature, view);
  const name = view === undefined ? feature.layer : `${feature.layer}-${view + 1}`;
  if (mean.every((each) => each === 0) && scale.every((each) => each === 1)) return raw;
  const [zeros, ones] = [0, 1].map((value) => mean.map(() => value));
  const missed = mean.map((each, i) => (Math.fround(each) - each) * (scale[i] ?? 1));
  const distance = affine(`subtract-mean-${name}`, raw, [ones, zeros, mean, ones]);
  const scaled = affine(`scale-${name}`, distance, [scale, missed, zeros, ones]);
  return most.some(Number.isFinite) ? noFartherThan(most, scaled, name) : scaled;
}

/** Columns that are each no farther from 0 than a number, as far as that is finite. */
function noFartherThan(
  most: Float64Array,
  columns: tf.SymbolicTensor,
  name: string,
): tf.SymbolicTensor {
  const [zeros, ones] = [0, 1].map((value) => most.map(() => value));
  const isOpen = Array.from(most, (each) => Number(!Number.isFinite(each)));
  const closed = most.map((each) => (Number.isFinite(each) ? each : 0));
  // As a rectifier between two shifts: it lets through what is between 0 and its largest value.
  const shares = closed.map((each) => (each === 0 ? 0 : 1 / each));
  const shifted = affine(`shift-${name}`, columns, [shares, ones, zeros, ones]);
  const kept = apply(tf.layers.reLU({ name: `bound-${name}`, maxValue: 2 }), shifted);
  const bounded = affine(`shift-back-${name}`, kept, [closed, zeros, ones, ones]);
  if (isOpen.every((each) => each === 0)) return bounded;
  const open = affine(`open-${name}`, columns, [isOpen, zeros, zeros, ones]);
  return apply(tf.layers.add({ name: `both-${name}` }), [bounded, open]);
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
function answered(
  { model, labelScale }: Exported,
  output: tf.SymbolicTensor,
  isAnswer: boolean,
): tf.SymbolicTensor {
  const { task } = model.spec;
  if (task !== 'regression')
    return isAnswer ? output : probabilities('class-probabilities', task, output);
  if (labelScale === undefined) return output;
  const { means, deviations } = scaleVectors(labelScale);
  return eachTimes('own-unit', output, { factors: deviations, offsets: means });
}
