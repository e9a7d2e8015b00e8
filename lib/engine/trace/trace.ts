import * as tf from '@tensorflow/tfjs';
import { invalid, MillraceError, reasonOf } from '../../errors.ts';
import { labelWidth } from '../../features/task.ts';
import type { Coefficients } from '../../network/coefficients.ts';
import type { Network } from '../../network/network.ts';
import type { Optimizer } from '../../network/optimizers.ts';
import { predictionOf } from '../../network/outputs.ts';
import type { Spec } from '../../spec/spec.ts';
import {
  assignFlat,
  differentiate,
  flatten,
  flattenTouched,
  forward,
  keepUntouched,
  type Minibatch,
  variablesByName,
} from '../step.ts';
import { type Graph, sizeOf } from './graph.ts';
import { withGradients } from './kernels/gradients.ts';
import { backendName, registerKernels } from './kernels/register.ts';
import { stepNames } from './step-names.ts';
import { TraceBackend } from './trace-backend.ts';
import { UntraceableError } from './untraceable.ts';

/** A mask of dropout that a step takes. */
export type StepMask = {
  /** Elements for each row of the minibatch. */
  readonly width: number;
  /** The share of them that is 0. */
  readonly rate: number;
};

/** A training step as a graph, and the masks that are among its inputs. */
export type TracedTraining = { readonly graph: Graph; readonly masks: readonly StepMask[] };

/** How a step is traced. */
export type TracedRun = {
  readonly minibatch: number;
  /** Whether all trainable weights are one vector in it, and each slot over them. */
  readonly hasFlat: boolean;
  /** Whether the engine itself sees which rows of a table are touched, and changes those alone. */
  readonly isSparse: boolean;
};

/**
 * One training step of a network as a graph: state, minibatch, masks and rate in; state and logits
 * out. The network is disposed: its variables have stood for values of the graph.
 *
 * @throws UntraceableError if the network needs a kernel that cannot be expressed
 */
export function traceTraining(
  spec: Spec,
  network: Network,
  optimizer: Optimizer,
  { minibatch, hasFlat, isSparse }: TracedRun,
): TracedTraining {
  const weights = variablesByName(network.layersModel.weights);
  const trainable = variablesByName(network.layersModel.trainableWeights);
  return traceOnce(network, (trace) => {
    const size = [...trainable.values()].reduce((sum, variable) => sum + variable.size, 0);
    const parameters = hasFlat ? trace.input(stepNames.parameters, [size]) : undefined;
    if (parameters !== undefined) assignFlat([...trainable.values()], parameters);
    for (const [name, variable] of weights) {
      if (!hasFlat || !trainable.has(name)) variable.assign(trace.input(name, variable.shape));
    }
    /** Slots of one weight, or of all as one vector. */
    const slotsOf = (shape: readonly number[], weight = '') =>
      Object.fromEntries(
        Object.keys(optimizer.slots).map((name) => [
          name,
          trace.input(stepNames.slot(name, weight), shape),
        ]),
      );
    const tensors = minibatchInputs(spec, network, trace, minibatch);
    const coefficients = coefficientInputs(spec, trace);
    const masks = drawMasks(network, trace, minibatch);
    const outputs: Record<string, tf.TensorInfo> = {};
    const { loss, gradients, touched } = differentiate(
      spec,
      network,
      [...trainable.values()],
      tensors,
    );
    outputs[stepNames.loss] = loss;
    if (parameters === undefined) {
      [...trainable].forEach(([name, variable], i) => {
        const gradient = gradients[i] ?? tf.zerosLike(variable);
        const slots = slotsOf(variable.shape, name);
        const updated = optimizer.update(variable, gradient, slots, coefficients);
        const rows = isSparse ? undefined : touched[i];
        const next = keepUntouched(optimizer, rows, { parameters: variable, slots }, updated);
        outputs[name] = next.parameters;
        for (const [slot, value] of Object.entries(next.slots))
          outputs[stepNames.slot(slot, name)] = value;
      });
    } else {
      const slots = slotsOf([size]);
      const updated = optimizer.update(parameters, flatten(gradients), slots, coefficients);
      const rows = flattenTouched([...trainable.values()], touched);
      const next = keepUntouched(optimizer, rows, { parameters, slots }, updated);
      outputs[stepNames.parameters] = next.parameters;
      for (const [slot, value] of Object.entries(next.slots)) outputs[stepNames.slot(slot)] = value;
    }
    for (const [name, variable] of weights) {
      if (!trainable.has(name)) outputs[name] = variable;
    }
    return { graph: trace.take(outputs), masks };
  });
}

/** The numbers of an optimizer's step as inputs of a graph. */
export function coefficientInputs(
  { optimizer: { weightDecay } }: Spec,
  trace: TraceBackend,
): Coefficients<tf.Tensor> {
  return {
    rate: trace.input(stepNames.rate, []),
    epsilon: trace.input(stepNames.epsilon, []),
    decay: weightDecay === undefined ? undefined : trace.input(stepNames.decay, []),
  };
}

/** Lets a network draw masks of dropout that are inputs of the graph, and lists them here. */
export function drawMasks(network: Network, trace: TraceBackend, minibatch: number): StepMask[] {
  const masks: StepMask[] = [];
  network.masks.draw = (shape, share) => {
    const [rows = 0, ...row] = shape;
    if (rows % minibatch !== 0) throw new UntraceableError('a mask of dropout is shared by rows');
    const width = sizeOf([rows / minibatch, ...row]);
    masks.push({ width, rate: share });
    return trace.input(stepNames.mask(masks.length - 1), shape);
  };
  return masks;
}

/** The samples of a step as inputs of the graph. */
export function minibatchInputs(
  { label }: Spec,
  network: Network,
  trace: TraceBackend,
  minibatch: number,
): Minibatch {
  return {
    inputs: networkInputs(network, trace, minibatch),
    labels: trace.input(stepNames.labels, [minibatch * labelWidth(label)]) as tf.Tensor1D,
    shares: trace.input(stepNames.shares, [minibatch]) as tf.Tensor1D,
  };
}

function networkInputs({ inputs }: Network, trace: TraceBackend, rows: number): tf.Tensor[] {
  return inputs.map(({ kind, shape }, i) =>
    trace.input(stepNames.input(i), [rows, ...shape], kind === 'category' ? 'int64' : 'float32'),
  );
}

/**
 * The predictions of a network for `rows` rows as a graph: weights and inputs in, predictions out.
 * It is disposed.
 */
export function tracePrediction(spec: Spec, network: Network, rows: number): Graph {
  return traceOnce(network, (trace) => {
    for (const [name, variable] of variablesByName(network.layersModel.weights)) {
      variable.assign(trace.input(name, variable.shape));
    }
    const inputs = networkInputs(network, trace, rows);
    const output = predictionOf(spec, forward(network.layersModel, inputs, false));
    return trace.take({ [stepNames.output]: output });
  });
}

/**
 * Whether an optimizer runs over one vector of all parameters; without slots, it runs weight by
 * weight.
 */
export function isFlat({ slots }: Optimizer): boolean {
  return Object.keys(slots).length > 0;
}

/** Traces a network and disposes it. */
export function traceOnce<Result>(
  network: Network,
  trace: (backend: TraceBackend) => Result,
): Result {
  try {
    return withTraceBackend((backend) => {
      nameLayers(network, backend);
      return trace(backend);
    });
  } catch (error) {
    if (error instanceof MillraceError || error instanceof UntraceableError) throw error;
    throw invalid(`spec.network: tfjs cannot train it: ${reasonOf(error)}`, error);
  } finally {
    network.layersModel.dispose();
  }
}

/** Lets the trace know in which layer it is, for what it says about kernels. */
function nameLayers({ layersModel: { layers } }: Network, trace: TraceBackend): void {
  for (const layer of layers) {
    const call = layer.call.bind(layer);
    const name = `${layer.name} (${layer.getClassName()})`;
    layer.call = (inputs, settings) => trace.within(name, () => call(inputs, settings));
  }
}

/**
 * Runs `trace` with the trace backend in place of tfjs' own, in one turn of the event loop: nothing
 * else sees it.
 *
 * @throws UntraceableError if a kernel cannot be expressed
 */
function withTraceBackend<Result>(trace: (backend: TraceBackend) => Result): Result {
  registerKernels();
  const before = tf.getBackend();
  const backend = new TraceBackend();
  tf.registerBackend(backendName, () => backend);
  void tf.setBackend(backendName);
  tf.engine().startScope('trace');
  try {
    return withGradients(() => trace(backend));
  } finally {
    tf.engine().endScope();
    void tf.setBackend(before);
    tf.removeBackend(backendName);
  }
}
