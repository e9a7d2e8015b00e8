import * as tf from '@tensorflow/tfjs';
import { trainedLayoutOf } from '../../features/columns.ts';
import { limits } from '../../limits.ts';
import { buildNetwork } from '../../network/build-network.ts';
import { coefficientNames } from '../../network/coefficients.ts';
import type { Network } from '../../network/network.ts';
import { optimizerOf } from '../../network/optimizers.ts';
import type { Spec } from '../../spec/spec.ts';
import { flushSlots } from '../rewrite/flush-slots.ts';
import { rewrite } from '../rewrite/rewrite.ts';
import { initialState, variablesByName } from '../step.ts';
import type { Graph } from '../trace/graph.ts';
import { stepNames } from '../trace/step-names.ts';
import { isFlat, type StepMask, tracePrediction, traceTraining } from '../trace/trace.ts';
import { type Trained, traceGradients } from '../trace/trace-apart.ts';
import { elementsOf, workOf } from '../trace/work.ts';
import type { ModelArtifact } from './artifact.ts';
import { compileUpdate, isUpdatedApart } from './compile-update.ts';
import { encodeModel } from './encode.ts';
import { runGraph, type StepLayout, stepGraph } from './run-graph.ts';

/**
 * Compiles what every use of a model needs: its initial state, its predictions, and the online
 * training.
 *
 * @param apartFrom see {@link isUpdatedApart}
 * @throws UntraceableError if the network needs a kernel that cannot be expressed
 */
export async function compileModel(spec: Spec, apartFrom?: number): Promise<ModelArtifact> {
  const network = await build(spec);
  const optimizer = optimizerOf(spec.optimizer);
  const { tensors } = initialState(spec, network, optimizer);
  const weights = [...variablesByName(network.layersModel.trainableWeights)];
  const trainable = weights.map(([name, { shape }]) => ({ name, shape }));
  const layout = trainedLayoutOfRun(spec, network, limits.predictMinibatch);
  const { outputs, mixesRows } = network;
  const prediction = tracePrediction(spec, network, limits.predictMinibatch);
  const training = await stepGraphs(spec, spec.online.minibatch, apartFrom);
  const { trained } = training;
  return {
    outputs,
    mixesRows,
    work: workOf(prediction, layout.minibatch, elementsOf(tensors)),
    // ORT's threads race where several rows add to one place: additions were lost in minibatches of
    // thousands.
    isSerial: training.rewritten.nodes.some(({ op }) => op === 'ScatterND'),
    masks: training.masks,
    parameters: isFlat(optimizer) && trained === undefined ? trainable : [],
    initial: tensors,
    prediction: encodeModel(runGraph(rewrite(prediction, stepInputs(layout)), layout)),
    training: encodeTraining(training),
    ...(trained && { update: compileUpdate(spec, await build(spec), trained) }),
  };
}

/**
 * Compiles the training step of a network to an ONNX model that does a whole run of minibatches, or
 * of one, where the update is apart.
 *
 * @param apartFrom see {@link isUpdatedApart}
 * @throws UntraceableError if it needs a kernel that cannot be expressed
 */
export async function compileTraining(
  spec: Spec,
  minibatch: number,
  apartFrom?: number,
): Promise<Uint8Array> {
  return encodeTraining(await stepGraphs(spec, minibatch, apartFrom));
}

function encodeTraining({ rewritten, layout, trained }: StepGraphs): Uint8Array {
  return encodeModel((trained === undefined ? runGraph : stepGraph)(rewritten, layout));
}

/** A training step before and after rewriting, and what it takes. */
export type StepGraphs = {
  readonly traced: Graph;
  readonly rewritten: Graph;
  readonly layout: StepLayout;
  readonly masks: readonly StepMask[];
  /** Of which weights it makes gradients alone, where the update is apart. */
  readonly trained: readonly Trained[] | undefined;
};

/**
 * The operators of a training step, before and after rewriting.
 *
 * @param apartFrom see {@link isUpdatedApart}
 */
export async function stepGraphs(
  spec: Spec,
  minibatch: number,
  apartFrom?: number,
): Promise<StepGraphs> {
  const network = await build(spec);
  const optimizer = optimizerOf(spec.optimizer);
  const bare = trainedLayoutOfRun(spec, network, minibatch);
  const whole = { minibatch, hasFlat: isFlat(optimizer), isSparse: false };
  const {
    graph: traced,
    masks,
    trained,
  } = isUpdatedApart(spec, network, optimizer, apartFrom)
    ? traceGradients(spec, network, optimizer, minibatch)
    : { ...traceTraining(spec, network, optimizer, whole), trained: undefined };
  const layout = { ...bare, perStep: [...bare.perStep, ...masks.map((_, i) => stepNames.mask(i))] };
  const rewritten = rewrite(flushSlots(traced), stepInputs(layout));
  return { traced, rewritten, layout, masks, trained };
}

async function build(spec: Spec): Promise<Network> {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  return buildNetwork(spec);
}

function stepInputs({ columns, perStep }: StepLayout): ReadonlySet<string> {
  return new Set([...columns.map(({ name }) => name), ...perStep]);
}

function trainedLayoutOfRun(spec: Spec, network: Network, minibatch: number): StepLayout {
  return {
    ...trainedLayoutOf(spec),
    minibatch,
    perStep: [stepNames.labels, stepNames.shares, ...coefficientNames(spec.optimizer)],
    columns: network.inputs.map(({ kind, offset, width }, i) => ({
      name: stepNames.input(i),
      kind,
      offset,
      width,
    })),
  };
}
