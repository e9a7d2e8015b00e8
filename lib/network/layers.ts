import * as tf from '@tensorflow/tfjs';
import { invalid } from '../errors.ts';
import { columnsOf, layoutOf } from '../features/columns.ts';
import { hashIntegers } from '../features/hash.ts';
import type { Spec } from '../spec/spec.ts';
import { assertParameters, type BareNetwork, type NetworkInput, outputsOf } from './network.ts';

/** The inputs of a generated network: all number columns as one, and each category by its name. */
function generatedInputs(spec: Spec): NetworkInput[] {
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
      name: `category_${name}`,
      kind: 'category' as const,
      offset: offsets.categoryOffset,
      width: 1,
      shape: [1],
    })),
  ];
}

/** The name in a state of the table that an input of a generated network looks up. */
export function tableOfInput(input: string): string {
  return `weights/${input.replace(/^category_/, 'embedding_')}/embeddings`;
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

/** The network of hidden layers over embedded categories. */
export function fromLayers(spec: Spec, { hidden: widths, activation }: HiddenLayers): BareNetwork {
  assertParameters(spec, countParameters(spec, widths));
  const inputs = generatedInputs(spec);
  const tables = tablesOf(spec);
  let layerIndex = 0;
  const seed = () => hashIntegers(spec.seed, layerIndex++);

  const symbols = inputs.map(({ name, shape, kind }) =>
    tf.input({ name, shape: [...shape], dtype: kind === 'category' ? 'int32' : 'float32' }),
  );
  const columns = inputs.map((input, i) => {
    const symbol = symbols[i];
    if (symbol === undefined || input.kind === 'numbers') return symbol;
    const table = tables.find(({ name }) => input.name === `category_${name}`);
    if (table === undefined) throw invalid(`spec.features: ${input.name} has no table`);
    const { name, rows, dimensions } = table;
    const embedding = tf.layers.embedding({
      name: `embedding_${name}`,
      inputDim: rows,
      outputDim: dimensions,
      embeddingsInitializer: tf.initializers.randomUniform({
        minval: -0.05,
        maxval: 0.05,
        seed: seed(),
      }),
    });
    return tf.layers
      .flatten({ name: `flatten_${name}` })
      .apply(embedding.apply(symbol)) as tf.SymbolicTensor;
  });
  const present = columns.filter((column) => column !== undefined);
  let hidden = present[0];
  if (present.length > 1) {
    hidden = tf.layers.concatenate({ name: 'features' }).apply(present) as tf.SymbolicTensor;
  }
  if (hidden === undefined) throw invalid('spec.features: a model needs at least one feature');

  widths.forEach((units, i) => {
    hidden = tf.layers
      .dense({
        name: `hidden_${i + 1}`,
        units,
        activation,
        kernelInitializer: kernelInitializer(activation, seed()),
      })
      .apply(hidden as tf.SymbolicTensor) as tf.SymbolicTensor;
  });
  const outputs = outputsOf(spec);
  const output = tf.layers.dense({
    name: 'output',
    units: outputs,
    kernelInitializer: isLinear(spec, widths)
      ? tf.initializers.zeros()
      : tf.initializers.glorotUniform({ seed: seed() }),
  });
  return {
    layersModel: tf.model({ inputs: symbols, outputs: output.apply(hidden) as tf.SymbolicTensor }),
    inputs,
    outputs,
  };
}

/** Counted before tfjs allocates them. */
function countParameters(spec: Spec, widths: readonly number[]): number {
  const tables = tablesOf(spec);
  const embedded = tables.reduce((sum, { dimensions }) => sum + dimensions, 0);
  let parameters = tables.reduce((sum, { rows, dimensions }) => sum + rows * dimensions, 0);
  let before = layoutOf(spec).numberWidth + embedded;
  for (const units of [...widths, outputsOf(spec)]) {
    parameters += (before + 1) * units;
    before = units;
  }
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
