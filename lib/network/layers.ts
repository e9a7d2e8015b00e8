import * as tf from '@tensorflow/tfjs';
import { invalid } from '../errors.ts';
import { columnsOf, layoutOf } from '../features/columns.ts';
import { hashIntegers } from '../features/hash.ts';
import { derivedCounts } from '../spec/derived-numbers.ts';
import type { Spec } from '../spec/spec.ts';
import { fourierOf } from './fourier.ts';
import { assertParameters, type BareNetwork, type NetworkInput, outputsOf } from './network.ts';
import { piecewiseLinear } from './piecewise-linear.ts';
import { quadratic } from './quadratic.ts';
import { categoryInput, layerPartOf } from './weight-names.ts';

/** The inputs of a generated network: all number columns as one, and each category by its name. */
export function generatedInputs(spec: Spec): NetworkInput[] {
  const { numberWidth } = layoutOf(spec);
  return [
    ...(numberWidth > 0
      ? [
          {
            name: 'numbers',
            kind: 'numbers' as const,
            offset: 0,
            width: numberWidth,
            shape: [numberWidth],
          },
        ]
      : []),
    ...tablesOf(spec).map(({ name, offsets }) => ({
      name: categoryInput(name),
      kind: 'category' as const,
      offset: offsets.categoryOffset,
      width: 1,
      shape: [1],
    })),
  ];
}

/** The features that are embedded, each with the size of its table. */
function tablesOf(spec: Spec) {
  return columnsOf(spec).flatMap(({ name, offsets, behaviour: { input } }) =>
    input.kind === 'table'
      ? [{ name, offsets, rows: input.rows, dimensions: input.dimensions }]
      : [],
  );
}

type HiddenLayers = Exclude<Spec['network'], { topology: unknown }>;

/** The network of hidden layers over embedded categories, and what is wide beside it. */
export function fromLayers(spec: Spec, declared: HiddenLayers): BareNetwork {
  assertParameters(spec, countParameters(spec, declared));
  const inputs = generatedInputs(spec);
  let layerIndex = 0;
  const seed = () => hashIntegers(spec.seed, layerIndex++);
  const symbols = inputs.map(({ name, shape, kind }) =>
    tf.input({ name, shape: [...shape], dtype: kind === 'category' ? 'int32' : 'float32' }),
  );
  const columns = inputs.map(({ name, kind }, i) => {
    const symbol = at(symbols, i);
    if (kind === 'numbers') return symbol;
    const spread = { minval: -0.05, maxval: 0.05, seed: seed() };
    return embedded('', tableOf(spec, name), symbol, tf.initializers.randomUniform(spread));
  });
  const numbers = inputs.findIndex(({ kind }) => kind === 'numbers');
  const periodic =
    declared.fourier === undefined
      ? []
      : [apply(fourierOf(spec, declared.fourier), at(symbols, numbers))];
  const pieces =
    declared.piecewiseLinear === undefined
      ? []
      : [piecewiseLinear(spec, declared.piecewiseLinear, at(symbols, numbers))];
  const products =
    declared.quadratic === undefined
      ? []
      : [quadratic(spec, declared.quadratic, at(symbols, numbers))];
  const features = joined('features', [...columns, ...periodic, ...pieces, ...products]);
  const hidden = hiddenLayers(declared, features, seed);
  const outputs = outputsOf(spec);
  const deep = apply(
    tf.layers.dense({
      name: 'output',
      units: outputs,
      kernelInitializer: isLinear(spec, declared.hidden)
        ? tf.initializers.zeros()
        : tf.initializers.glorotUniform({ seed: seed() }),
      ...regularizer(declared),
    }),
    hidden,
  );
  const taken = inputs.map((input, i) => ({ input, symbol: at(symbols, i) }));
  const output = declared.wide ? withWide(spec, declared, deep, taken) : deep;
  return { layersModel: tf.model({ inputs: symbols, outputs: output }), inputs, outputs };
}

function apply(layer: tf.layers.Layer, input: tf.SymbolicTensor | tf.SymbolicTensor[]) {
  return layer.apply(input) as tf.SymbolicTensor;
}

function at<Value>(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw invalid('spec.features: a model needs at least one feature');
  return value;
}

function tableOf(spec: Spec, input: string) {
  const table = tablesOf(spec).find(({ name }) => input === categoryInput(name));
  if (table === undefined) throw invalid(`spec.features: ${input} has no table`);
  return table;
}

/** Rows of a table, looked up; [dimensions]. */
function embedded(
  prefix: string,
  { name, rows, dimensions }: Omit<ReturnType<typeof tableOf>, 'offsets'>,
  symbol: tf.SymbolicTensor,
  embeddingsInitializer: ReturnType<typeof tf.initializers.zeros>,
): tf.SymbolicTensor {
  const part = layerPartOf(name);
  const embedding = tf.layers.embedding({
    name: `${prefix}embedding_${part}`,
    inputDim: rows,
    outputDim: dimensions,
    embeddingsInitializer,
  });
  return apply(tf.layers.flatten({ name: `${prefix}flatten_${part}` }), apply(embedding, symbol));
}

function joined(name: string, columns: readonly tf.SymbolicTensor[]): tf.SymbolicTensor {
  return columns.length > 1 ? apply(tf.layers.concatenate({ name }), [...columns]) : at(columns, 0);
}

function hiddenLayers(
  declared: HiddenLayers,
  features: tf.SymbolicTensor,
  seed: () => number,
): tf.SymbolicTensor {
  const { hidden: widths, activation, layerNormalization = false, dropout } = declared;
  let hidden = features;
  widths.forEach((units, i) => {
    const kernelSeed = seed();
    const fan = Number(hidden.shape.at(-1)) + units;
    const dense = {
      name: `hidden_${i + 1}`,
      units,
      kernelInitializer: kernelInitializer(activation, kernelSeed),
      ...(declared.randomBiases ? { biasInitializer: biasInitializer(fan, kernelSeed) } : {}),
      ...regularizer(declared),
    };
    hidden = apply(tf.layers.dense(layerNormalization ? dense : { ...dense, activation }), hidden);
    if (layerNormalization) {
      hidden = apply(tf.layers.layerNormalization({ name: `normalization_${i + 1}` }), hidden);
      hidden = apply(tf.layers.activation({ name: `activation_${i + 1}`, activation }), hidden);
    }
    if (dropout !== undefined)
      hidden = apply(tf.layers.dropout({ name: `dropout_${i + 1}`, rate: dropout }), hidden);
  });
  return hidden;
}

/**
 * The penalties of a kernel. tfjs has −1 for the derivative of |w| at 0, which would push away a
 * weight of which nothing is learnt; here it is 0, as in Keras.
 */
function regularizer({ l1 = 0, l2 = 0 }: HiddenLayers) {
  if (l1 === 0 && l2 === 0) return {};
  const kernelRegularizer = tf.regularizers.l1l2({ l1, l2 });
  const sized = (w: tf.Tensor) => tf.mul(l1, tf.sum(tf.mul(w, tf.sign(w))));
  const squared = (w: tf.Tensor) => tf.mul(l2, tf.sum(tf.square(w)));
  const parts = [...(l1 > 0 ? [sized] : []), ...(l2 > 0 ? [squared] : [])];
  kernelRegularizer.apply = (w) =>
    tf.addN(parts.map((part) => part(w))) as ReturnType<typeof kernelRegularizer.apply>;
  return { kernelRegularizer };
}

/** What a linear model over one-hot categories adds; it starts from zeros (Cheng et al. 2016). */
function withWide(
  spec: Spec,
  declared: HiddenLayers,
  deep: tf.SymbolicTensor,
  inputs: readonly { readonly input: NetworkInput; readonly symbol: tf.SymbolicTensor }[],
): tf.SymbolicTensor {
  const dimensions = outputsOf(spec);
  const zeros = tf.initializers.zeros();
  const parts = inputs.map(({ input: { name, kind }, symbol }) => {
    if (kind !== 'numbers')
      return embedded('wide_', { ...tableOf(spec, name), dimensions }, symbol, zeros);
    const own = { name: 'wide_numbers', units: dimensions, useBias: false };
    const linear = { ...own, ...regularizer(declared) };
    return apply(tf.layers.dense({ ...linear, kernelInitializer: zeros }), symbol);
  });
  return apply(tf.layers.add({ name: 'wide_and_deep' }), [deep, ...parts]);
}

/** Counted before tfjs allocates them. */
function countParameters(spec: Spec, declared: HiddenLayers): number {
  const { hidden: widths, layerNormalization = false, wide = false } = declared;
  const tables = tablesOf(spec);
  const embedded = tables.reduce((sum, { dimensions }) => sum + dimensions, 0);
  let parameters = tables.reduce((sum, { rows, dimensions }) => sum + rows * dimensions, 0);
  const { numberWidth } = layoutOf(spec);
  const outputs = outputsOf(spec);
  const { periodic, pieces, products } = derivedCounts(declared, spec);
  parameters += (numberWidth + 1) * (periodic + pieces) + 2 * numberWidth * products;
  let before = numberWidth + embedded + periodic + pieces + products;
  for (const units of [...widths, outputs]) {
    parameters += (before + 1) * units;
    before = units;
  }
  if (layerNormalization) parameters += widths.reduce((sum, units) => sum + 2 * units, 0);
  if (wide) parameters += outputs * tables.reduce((sum, { rows }) => sum + rows, numberWidth);
  return parameters;
}

/**
 * A linear model starts from zeros: it predicts nothing before it has learnt something. (Those that
 * a release before 0.3 declared start as they did.)
 */
function isLinear({ cells }: Spec, widths: readonly number[]): boolean {
  return widths.length === 0 && cells !== undefined;
}

/** He et al. 2015 for rectifiers, Glorot and Bengio 2010 for the others. */
function kernelInitializer(activation: string, seed: number) {
  return activation === 'relu'
    ? tf.initializers.heUniform({ seed })
    : tf.initializers.glorotUniform({ seed });
}

/** A stream of random numbers beside that of a layer's kernel. */
const biasStream = 0x6269;

/** Even within ±√(6 / (inputs + outputs)), the bound of Glorot and Bengio for a kernel. */
function biasInitializer(fan: number, kernelSeed: number) {
  const maxval = Math.sqrt(6 / fan);
  return tf.initializers.randomUniform({
    minval: -maxval,
    maxval,
    seed: hashIntegers(kernelSeed, biasStream),
  });
}
