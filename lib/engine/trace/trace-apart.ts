import * as tf from '@tensorflow/tfjs';
import type { Network } from '../../network/network.ts';
import type { Optimizer } from '../../network/optimizers.ts';
import type { Spec } from '../../spec/spec.ts';
import { differentiate, keepUntouched, variablesByName } from '../step.ts';
import type { Graph, Value } from './graph.ts';
import { stepNames } from './step-names.ts';
import {
  coefficientInputs,
  drawMasks,
  minibatchInputs,
  type TracedTraining,
  traceOnce,
} from './trace.ts';

/** A trainable weight, and the rows that a step touches where it is a table of which most stay. */
export type Trained = Pick<Value, 'name' | 'shape'> & { readonly touched: boolean };

/** The first half of a training step, and what the second takes of it. */
export type TracedGradients = TracedTraining & { readonly trained: readonly Trained[] };

/**
 * What a training step does before its optimizer: weights, minibatch and masks in; loss, gradients,
 * and weights that no gradient changes (of normalisations) out. The network is disposed.
 *
 * @throws UntraceableError if the network needs a kernel that cannot be expressed
 */
export function traceGradients(
  spec: Spec,
  network: Network,
  { keepsUntouched }: Optimizer,
  minibatch: number,
): TracedGradients {
  const weights = variablesByName(network.layersModel.weights);
  const trainable = variablesByName(network.layersModel.trainableWeights);
  return traceOnce(network, (trace) => {
    for (const [name, variable] of weights) variable.assign(trace.input(name, variable.shape));
    const tensors = minibatchInputs(spec, network, trace, minibatch);
    const masks = drawMasks(network, trace, minibatch);
    const variables = [...trainable.values()];
    const { loss, gradients, touched } = differentiate(spec, network, variables, tensors);
    const outputs: Record<string, tf.TensorInfo> = { [stepNames.loss]: loss };
    const trained = [...trainable].map(([name, variable], i): Trained => {
      outputs[stepNames.gradient(name)] = gradients[i] ?? tf.zerosLike(variable);
      const rows = keepsUntouched === true ? undefined : touched[i];
      if (rows !== undefined) outputs[stepNames.touched(name)] = tf.cast(rows, 'float32');
      return { name, shape: variable.shape, touched: rows !== undefined };
    });
    for (const [name, variable] of weights) if (!trainable.has(name)) outputs[name] = variable;
    return { graph: trace.take(outputs), masks, trained };
  });
}

/**
 * What the optimizer of a training step does: weights, gradients, slots and coefficients in;
 * weights and slots out.
 *
 * @param network traces in its place, and is disposed
 */
export function traceUpdate(
  spec: Spec,
  network: Network,
  optimizer: Optimizer,
  trained: readonly Trained[],
): Graph {
  return traceOnce(network, (trace) => {
    const coefficients = coefficientInputs(spec, trace);
    const outputs: Record<string, tf.TensorInfo> = {};
    for (const { name, shape, touched } of trained) {
      const parameters = trace.input(name, shape);
      const slots = Object.fromEntries(
        Object.keys(optimizer.slots).map((slot) => [
          slot,
          trace.input(stepNames.slot(slot, name), shape),
        ]),
      );
      const gradient = trace.input(stepNames.gradient(name), shape);
      const rows = touched
        ? tf.greater(trace.input(stepNames.touched(name), [shape[0] ?? 1, 1]), 0)
        : undefined;
      const updated = optimizer.update(parameters, gradient, slots, coefficients);
      const next = keepUntouched(optimizer, rows, { parameters, slots }, updated);
      outputs[name] = next.parameters;
      for (const [slot, value] of Object.entries(next.slots))
        outputs[stepNames.slot(slot, name)] = value;
    }
    return trace.take(outputs);
  });
}
