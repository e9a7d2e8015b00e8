import * as tf from '@tensorflow/tfjs';
import { MillraceError } from '../errors.ts';
import type { Network } from '../network/network.ts';
import type { Optimizer } from '../network/optimizers.ts';
import { weightedLoss } from '../network/outputs.ts';
import type { Spec } from '../spec/spec.ts';
import type { EngineState, Tensor, Tensors } from './engine.ts';

/**
 * The samples of one gradient step as tensors: an input each of the network, labels and shares,
 * [minibatch].
 */
export type Minibatch = {
  readonly inputs: readonly tf.Tensor[];
  readonly labels: tf.Tensor1D;
  /** Weight / Σ weight. */
  readonly shares: tf.Tensor1D;
};

/** What both engines differentiate. The gradients are in the order of the variables. */
export type Differentiated = {
  readonly loss: tf.Scalar;
  readonly gradients: readonly tf.Tensor[];
};

/**
 * Forward pass, loss with the network's penalties, and the gradients that tfjs derives, clipped.
 * Call inside `tf.tidy`.
 */
export function differentiate(
  spec: Spec,
  { layersModel }: Network,
  variables: readonly tf.Variable[],
  { inputs, labels, shares }: Minibatch,
): Differentiated {
  const { value: loss, grads } = tf.variableGrads(() => {
    const output = forward(layersModel, inputs, true);
    const penalties = layersModel.calculateLosses();
    return penalties.reduce(
      (sum, penalty) => tf.add(sum, penalty) as tf.Scalar,
      weightedLoss(spec, output, labels, shares),
    );
  }, [...variables]);
  const gradients = variables.map((variable) => grads[variable.name] ?? tf.zerosLike(variable));
  return { loss, gradients: clip(gradients, spec.clip) };
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
  if (norm === undefined) return cut;
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
