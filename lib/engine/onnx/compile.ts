import { layoutOf } from '../../features/encoder.ts';
import type { Network } from '../../model/network.ts';
import type { Optimizer } from '../../model/optimizers.ts';
import type { Spec } from '../../spec/spec.ts';
import { variablesByName } from '../step.ts';
import { encodeModel } from './encode.ts';
import type { Graph, Value } from './graph.ts';
import { rewrite } from './rewrite/rewrite.ts';
import { runGraph, type StepLayout } from './run-graph.ts';
import { isFlat, stepNames, tracePrediction, traceTraining } from './trace.ts';

/**
 * Compiles the training step of a network to an ONNX model that does a whole run of minibatches. The network is
 * disposed.
 *
 * @throws UntraceableError if it needs a kernel that cannot be expressed
 */
export function compileTraining(
  spec: Spec,
  network: Network,
  optimizer: Optimizer,
  minibatch: number,
): Uint8Array {
  const layout = layoutOfRun(spec, network, isFlat(optimizer));
  const step = traceTraining(spec, network, optimizer, minibatch);
  return encodeModel(runGraph(rewrite(step, stepInputs(layout)), layout));
}

/** Compiles the predictions of a network, `rows` rows a step. The network is disposed. */
export function compilePrediction(spec: Spec, network: Network, rows: number): Uint8Array {
  const layout = layoutOfRun(spec, network, false);
  return encodeModel(runGraph(rewrite(tracePrediction(spec, network, rows), stepInputs(layout)), layout));
}

function stepInputs({ columns }: StepLayout): ReadonlySet<string> {
  return new Set([...columns.map(({ name }) => name), stepNames.labels, stepNames.shares]);
}

function layoutOfRun(spec: Spec, network: Network, hasFlat: boolean): StepLayout {
  const trainable = hasFlat ? [...variablesByName(network.model.trainableWeights)] : [];
  return {
    ...layoutOf(spec),
    columns: network.inputs.map(({ kind, offset, width }, i) => ({
      name: stepNames.input(i),
      kind,
      offset,
      width,
    })),
    flat: {
      name: stepNames.parameters,
      weights: trainable.map(([name, { shape }]): Value => ({ name, type: 'float32', shape })),
    },
  };
}

/** For tests and benchmarks: the operators of a training step, before and after rewriting. */
export function stepGraphs(
  spec: Spec,
  network: Network,
  optimizer: Optimizer,
  minibatch: number,
): { readonly traced: Graph; readonly rewritten: Graph } {
  const traced = traceTraining(spec, network, optimizer, minibatch);
  return { traced, rewritten: rewrite(traced, stepInputs(layoutOfRun(spec, network, isFlat(optimizer)))) };
}
