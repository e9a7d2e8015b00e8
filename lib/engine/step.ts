import * as tf from '@tensorflow/tfjs';
import { MillraceError } from '../errors.ts';
import type { Network } from '../network/network.ts';
import type { Optimizer } from '../network/optimizers.ts';
import { weightedLoss } from '../network/outputs.ts';
import { touchedRows } from '../network/tables.ts';
import type { Spec } from '../spec/spec.ts';
import type { EngineState, Tensor, Tensors } from './engine.ts';

/**
 * The samples of one gradient step as tensors: an input each of the network, labels (see
 * {@link weightedLoss}) and shares, [minibatch].
 */
export type Minibatch = {
  readonly inputs: readonly tf.Tensor[];
  readonly labels: tf.Tensor1D;
  /** Weight / Σ importance. */
  readonly shares: tf.Tensor1D;
};

/** What both engines differentiate. The gradients are in the order of the variables. */
export type Differentiated = {
  readonly loss: tf.Scalar;
  readonly gradients: readonly tf.Tensor[];
  /** Of each variable that is a table, which rows are touched, [rows, 1]. */
  readonly touched: readonly (tf.Tensor | undefined)[];
};

/**
 * Forward pass, loss with the network's penalties, and the gradients that tfjs derives, clipped.
 * Call inside `tf.tidy`.
 */
export function differentiate(
  spec: Spec,
  { layersModel, tables }: Network,
  variables: readonly tf.Variable[],
  { inputs, labels, shares }: Minibatch,
): Differentiated {
  const derive = () =>
    tf.variableGrads(() => {
      const output = forward(layersModel, inputs, true);
      const penalties = layersModel.calculateLosses();
      return penalties.reduce(
        (sum, penalty) => tf.add(sum, penalty) as tf.Scalar,
        weightedLoss(spec, output, labels, shares),
      );
    }, [...variables]);
  const { result, lookups } = tables?.watch(derive) ?? { result: derive(), lookups: new Map() };
  const { value: loss, grads } = result;
  const touched = variables.map(({ name, shape: [rows = 1] }) => {
    const found = lookups.get(name);
    return found && touchedRows(found, shares, rows);
  });
  tf.dispose([...lookups.values()].flat());
  const gradients = variables.map((variable, i) => {
    const gradient = grads[variable.name] ?? tf.zerosLike(variable);
    const rows = touched[i];
    return rows !== undefined && tables?.masked.has(variable.name) === true
      ? tf.mul(gradient, tf.cast(rows, 'float32'))
      : gradient;
  });
  return { loss, gradients: clip(gradients, spec.clip), touched };
}

/** Parameters and slots of an optimizer. */
type Updated = ReturnType<Optimizer['update']>;

/** New parameters and slots where `touched` is true, the old ones elsewhere. */
export function keepUntouched(
  { keepsUntouched }: Optimizer,
  touched: tf.Tensor | undefined,
  before: Updated,
  after: Updated,
): Updated {
  if (touched === undefined || keepsUntouched === true) return after;
  const pick = (next: tf.Tensor, old: tf.Tensor | undefined) =>
    old === undefined ? next : tf.where(touched, next, old);
  return {
    parameters: pick(after.parameters, before.parameters),
    slots: Object.fromEntries(
      Object.entries(after.slots).map(([name, next]) => [name, pick(next, before.slots[name])]),
    ),
  };
}

/** Which elements of variables as one vector are touched; undefined if none is of a table. */
export function flattenTouched(
  variables: readonly tf.Variable[],
  touched: readonly (tf.Tensor | undefined)[],
): tf.Tensor | undefined {
  if (touched.every((rows) => rows === undefined)) return undefined;
  const wide = variables.map((variable, i) => {
    const rows = touched[i];
    const ones = tf.ones(variable.shape);
    return rows === undefined ? ones : tf.mul(ones, tf.cast(rows, 'float32'));
  });
  return tf.greater(flatten(wide), 0);
}

/**
 * Gradients cut off: each element to ±`value`, then all together to the norm `norm` (Pascanu et al.
 * 2013).
 */
function clip(
  gradients: readonly tf.Tensor[],
  { value, norm }: NonNullable<Spec['clip']> = {},
): readonly tf.Tensor[] {
  const cut =
    value === undefined
      ? gradients
      : gradients.map((gradient) => tf.clipByValue(gradient, -value, value));
  // (No norm of float32 is larger than the largest number.)
  if (norm === undefined || !Number.isFinite(Math.fround(norm))) return cut;
  const squares = cut.map((gradient) => tf.sum(tf.square(gradient)));
  const total = tf.sqrt(squares.reduce((sum, each) => tf.add(sum, each)));
  const scale = tf.div(norm, tf.maximum(total, norm));
  return cut.map((gradient) => tf.mul(gradient, scale));
}

/** Logits or values of a network, [minibatch, outputs]. */
export function forward(
  layersModel: tf.LayersModel,
  inputs: readonly tf.Tensor[],
  training: boolean,
): tf.Tensor {
  const output = layersModel.apply([...inputs], { training });
  if (Array.isArray(output))
    throw new MillraceError('corrupt', 'a network with several outputs was compiled');
  return output as tf.Tensor;
}

/** The tensors as one vector. */
export function flatten(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.concat1d(tensors.map((tensor) => tf.reshape(tensor, [tensor.size]) as tf.Tensor1D));
}

/** Gives variables the parts of a vector, in their order. */
export function assignFlat(variables: readonly tf.Variable[], flat: tf.Tensor): void {
  const sizes = variables.map(({ size }) => size);
  tf.split(flat, sizes).forEach((part, i) => {
    const variable = variables[i];
    variable?.assign(tf.reshape(part, variable.shape));
  });
}

/** A model's weights by their names in a state. */
export function variablesByName(
  weights: tf.LayersModel['weights'],
): ReadonlyMap<string, tf.Variable> {
  return new Map(
    weights.map((weight) => [`weights/${weight.originalName}`, weight.read() as tf.Variable]),
  );
}

/** The values of weights, copied: tfjs hands out its own memory. */
export function readWeights(weights: ReadonlyMap<string, tf.Variable>): Tensors {
  return Object.fromEntries(
    [...weights].map(([name, variable]) => [
      name,
      { shape: variable.shape, data: Float32Array.from(variable.dataSync()) },
    ]),
  );
}

/** The state before the first step: the network's weights, and the optimizer's empty slots. */
export function initialState(
  { seed }: Pick<Spec, 'seed'>,
  { layersModel }: Network,
  optimizer: Optimizer,
): EngineState {
  const parameters = layersModel.trainableWeights.reduce(
    (sum, weight) => sum + (weight.read() as tf.Variable).size,
    0,
  );
  const slots = Object.entries(optimizer.slots).map(([name, initial]): [string, Tensor] => [
    `optimizer/${name}`,
    { shape: [parameters], data: new Float32Array(parameters).fill(initial) },
  ]);
  const weights = readWeights(variablesByName(layersModel.weights));
  return { tensors: { ...weights, ...Object.fromEntries(slots) }, step: 0, seed };
}
