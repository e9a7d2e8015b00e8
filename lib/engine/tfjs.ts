import * as tf from '@tensorflow/tfjs';
import { MillraceError } from '../errors.ts';
import { trainedLayoutOf } from '../features/columns.ts';
import {
  type EncodedSamples,
  gatherSamples,
  type Layout,
  sliceSamples,
} from '../features/samples.ts';
import { limits } from '../limits.ts';
import { buildNetwork } from '../network/build-network.ts';
import { type Coefficients, coefficientsOf } from '../network/coefficients.ts';
import { type DrawMask, writeMask } from '../network/dropout.ts';
import { sharesOf } from '../network/losses.ts';
import type { Network } from '../network/network.ts';
import { type Optimizer, optimizerOf, type Slots } from '../network/optimizers.ts';
import { predictionOf } from '../network/outputs.ts';
import { rateAt } from '../network/schedules.ts';
import type { Spec } from '../spec/spec.ts';
import { useLinearKernels } from './cpu-kernels.ts';
import type {
  CompiledModel,
  Engine,
  EngineState,
  Run,
  Tensor,
  Tensors,
  Trained,
  Work,
} from './engine.ts';
import { restartedState } from './restart-rows.ts';
import {
  assignFlat,
  differentiate,
  flatten,
  flattenTouched,
  forward,
  initialState,
  keepUntouched,
  type Minibatch,
  readWeights,
  variablesByName,
} from './step.ts';
import { sizeOf } from './trace/graph.ts';
import { elementsOf, workOfPass } from './trace/work.ts';

/** The reference engine: tfjs itself, on its plain JavaScript backend. Deterministic, and slow. */
export const tfjsEngine: Engine = tfjsEngineOn('cpu');

/** tfjs on a backend that is registered with it. */
export function tfjsEngineOn(backend: string): Engine {
  return { compile: (spec) => compile(spec, backend) };
}

type Compiled = {
  readonly spec: Spec;
  readonly network: Network;
  readonly optimizer: Optimizer;
  readonly layout: Layout;
  /** Every weight of the model by its name in the state, trainable or not. */
  readonly weights: ReadonlyMap<string, tf.Variable>;
  readonly trainable: readonly tf.Variable[];
};

/** Trainable parameters and optimizer slots as flat vectors. */
type Flat = { readonly parameters: tf.Tensor; readonly slots: Slots<tf.Tensor> };

async function compile(spec: Spec, backend: string): Promise<CompiledModel> {
  tf.enableProdMode();
  useLinearKernels();
  await tf.setBackend(backend);
  const network = await buildNetwork(spec);
  const weights = variablesByName(network.layersModel.weights);
  const compiled: Compiled = {
    spec,
    network,
    optimizer: optimizerOf(spec.optimizer),
    layout: trainedLayoutOf(spec),
    weights,
    trainable: [...variablesByName(network.layersModel.trainableWeights).values()],
  };
  const initial = initialState(spec, network, compiled.optimizer);
  return {
    engine: `tfjs-${tf.version.tfjs}`,
    outputs: network.outputs,
    work: workOf(network.layersModel, elementsOf(initial.tensors)),
    initial: () => initial,
    train: async (state, samples, run) => train(compiled, state, samples, run),
    predict: async (state, samples) => predict(compiled, state, samples),
    restart: (state, rows) => restartedState(initial.tensors, state, rows),
  };
}

/** How much longer a product takes than in the other engines, and one for a gradient. */
const slower = { predicted: 5, learnt: 300 } as const;

/** Each weight is used at each place of its layer; what layers make takes time, too. */
function workOf({ layers }: tf.LayersModel, elements: number): Work {
  const products = layers.reduce((sum, layer) => {
    const [places, made] = sizesOf(layer);
    const weights = layer.weights.reduce((all, { shape }) => all + sizeOf(known(shape)), 0);
    return sum + places * weights + made;
  }, 0);
  return {
    predicted: slower.predicted * products,
    learnt: slower.learnt * products,
    step: workOfPass(elements),
  };
}

/** The places at which a layer uses its weights, and the elements that it makes. */
function sizesOf(layer: tf.layers.Layer): readonly [places: number, made: number] {
  const shapes = layer.inboundNodes.flatMap((node) => [...node.inputShapes, ...node.outputShapes]);
  const sizes = shapes.map((shape) => [shape].flat().map((size) => Number(size ?? 1)));
  const places = sizes.map((shape) => sizeOf(shape.slice(1, -1)));
  return [Math.max(1, ...places), Math.max(0, ...sizes.map((shape) => sizeOf(shape.slice(1))))];
}

/** A shape whose open sizes are 1. */
function known(shape: readonly (number | null)[]): readonly number[] {
  return shape.map((size) => size ?? 1);
}

function train(compiled: Compiled, state: EngineState, samples: EncodedSamples, run: Run): Trained {
  const { spec, optimizer, layout, trainable } = compiled;
  const rows = run.order?.length ?? samples.count;
  const losses = new Float32Array(Math.ceil(rows / run.minibatch));
  writeWeights(compiled.weights, state.tensors);
  let current: Flat = {
    parameters: tf.tidy(() => flatten(trainable)),
    slots: Object.fromEntries(
      Object.keys(optimizer.slots).map((name) => [
        name,
        tf.tensor1d(tensorOf(state.tensors, `optimizer/${name}`).data.slice()),
      ]),
    ),
  };
  for (let i = 0; i < losses.length; i++) {
    const start = i * run.minibatch;
    const minibatch =
      run.order === undefined
        ? sliceSamples(samples, start, start + run.minibatch, layout)
        : gatherSamples(samples, run.order.subarray(start, start + run.minibatch), layout);
    const step = state.step + i;
    compiled.network.masks.draw = drawMasks(state.seed, step);
    const coefficients = coefficientsOf(spec.optimizer, rateAt(run, step), step);
    const { loss, ...next } = tf.tidy(() => trainStep(compiled, current, minibatch, coefficients));
    losses[i] = loss.dataSync()[0] ?? Number.NaN;
    tf.dispose([loss, current]);
    current = next;
  }
  const slots = Object.entries(current.slots).map(([name, slot]): [string, Tensor] => [
    `optimizer/${name}`,
    { shape: slot.shape, data: Float32Array.from(slot.dataSync()) },
  ]);
  tf.dispose(current);
  return {
    state: {
      tensors: { ...readWeights(compiled.weights), ...Object.fromEntries(slots) },
      step: state.step + losses.length,
      seed: state.seed,
    },
    losses,
  };
}

/**
 * One gradient step: forward, gradients, optimizer; the trainable variables hold the new weights
 * after it.
 */
function trainStep(
  compiled: Compiled,
  current: Flat,
  minibatch: EncodedSamples,
  coefficients: Coefficients<number>,
) {
  const { spec, network, trainable, optimizer } = compiled;
  const tensors: Minibatch = {
    inputs: inputTensors(compiled, minibatch),
    labels: tf.tensor1d(Float32Array.from(minibatch.labels)),
    shares: tf.tensor1d(sharesOf(minibatch.weights, minibatch.importance)),
  };
  const { loss, gradients, touched } = differentiate(spec, network, trainable, tensors);
  const updated = optimizer.update(current.parameters, flatten(gradients), current.slots, {
    rate: tf.scalar(coefficients.rate),
    epsilon: tf.scalar(coefficients.epsilon),
    decay: coefficients.decay === undefined ? undefined : tf.scalar(coefficients.decay),
  });
  const rows = flattenTouched(trainable, touched);
  const next = keepUntouched(optimizer, rows, current, updated);
  assignFlat(trainable, next.parameters);
  return { loss, parameters: next.parameters, slots: next.slots };
}

function predict(compiled: Compiled, state: EngineState, samples: EncodedSamples): Float32Array {
  const { spec, network, layout } = compiled;
  writeWeights(compiled.weights, state.tensors);
  const predictions = new Float32Array(samples.count * network.outputs);
  for (let start = 0; start < samples.count; start += limits.predictRows) {
    const chunk = sliceSamples(samples, start, start + limits.predictRows, layout);
    const output = tf.tidy(() =>
      predictionOf(spec, forward(network.layersModel, inputTensors(compiled, chunk), false)),
    );
    predictions.set(output.dataSync(), start * network.outputs);
    output.dispose();
  }
  return predictions;
}

/** The inputs of the network, [count, …shape] each. */
function inputTensors({ network, layout }: Compiled, samples: EncodedSamples): tf.Tensor[] {
  return network.inputs.map(({ kind, offset, width, shape }) =>
    kind === 'category'
      ? tf.tensor(
          columns(samples.categories, layout.categoryCount, offset, width),
          [samples.count, ...shape],
          'int32',
        )
      : tf.tensor(
          columns(samples.numbers, layout.numberWidth, offset, width),
          [samples.count, ...shape],
          'float32',
        ),
  );
}

/**
 * Columns `offset … offset + width` of a row-major matrix, copied: tfjs aliases what it is given.
 */
function columns<Values extends Float32Array | Int32Array>(
  matrix: Values,
  rowWidth: number,
  offset: number,
  width: number,
): Values {
  if (width === rowWidth) return matrix.slice() as Values;
  const rows = matrix.length / rowWidth;
  const picked = (
    matrix instanceof Int32Array ? new Int32Array(rows * width) : new Float32Array(rows * width)
  ) as Values;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < width; column++) {
      picked[row * width + column] = matrix[row * rowWidth + offset + column] ?? 0;
    }
  }
  return picked;
}

function writeWeights(weights: ReadonlyMap<string, tf.Variable>, tensors: Tensors): void {
  tf.tidy(() => {
    for (const [name, variable] of weights) {
      variable.assign(tf.tensor(tensorOf(tensors, name).data.slice(), variable.shape));
    }
  });
}

function tensorOf(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (tensor === undefined) throw new MillraceError('corrupt', `the state has no tensor ${name}`);
  return tensor;
}

/** Draws the masks of one step, one after the other. */
function drawMasks(seed: number, step: number): DrawMask {
  let index = 0;
  return (shape, rate) => {
    const mask = new Float32Array(tf.util.sizeFromShape([...shape]));
    writeMask(mask, rate, { seed, step, index });
    index += 1;
    return tf.tensor(mask, [...shape]);
  };
}
