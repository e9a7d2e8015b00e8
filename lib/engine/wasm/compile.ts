import * as tf from '@tensorflow/tfjs';
import { trainedLayoutOf } from '../../features/columns.ts';
import { labelWidth } from '../../features/task.ts';
import { limits } from '../../limits.ts';
import { buildNetwork } from '../../network/build-network.ts';
import { coefficientNames } from '../../network/coefficients.ts';
import type { Network } from '../../network/network.ts';
import { type Optimizer, optimizerOf } from '../../network/optimizers.ts';
import { tablesOfInput } from '../../network/weight-names.ts';
import type { Spec } from '../../spec/spec.ts';
import { elementBytes } from '../../wasm/instructions.ts';
import { flushSlots } from '../rewrite/flush-slots.ts';
import { rewrite } from '../rewrite/rewrite.ts';
import { initialState, variablesByName } from '../step.ts';
import { type Graph, sizeOf } from '../trace/graph.ts';
import { stepNames } from '../trace/step-names.ts';
import { tracePrediction, traceTraining } from '../trace/trace.ts';
import { elementsOf, workOf } from '../trace/work.ts';
import type { LargeTable, ProgramArtifact } from './artifact.ts';
import { chooseFor } from './choice.ts';
import { windowOperators } from './image-windows.ts';
import {
  emitProgram,
  type Program,
  type ProgramStep,
  type StatePart,
  type StepInput,
} from './program.ts';
import type { Region } from './versions.ts';

/**
 * Compiles a model to one module: its predictions, and its training with one size of minibatch.
 *
 * @throws UntraceableError if the network needs an operator that has no kernel
 */
export async function compileProgram(spec: Spec, minibatch: number): Promise<ProgramArtifact> {
  const network = await build(spec);
  const choice = chooseFor(spec, network);
  const optimizer = optimizerOf(spec.optimizer);
  const { tensors } = initialState(spec, network, optimizer);
  const states = stateParts(network, optimizer);
  const { outputs, mixesRows } = network;
  const whole = predictionOf(spec, network, limits.wasmPredictMinibatch);
  choice.ofPrediction(whole.graph);
  const rows = rowsAtOnce(whole.graph);
  const isWhole = rows === whole.minibatch;
  const prediction = isWhole ? whole : predictionOf(spec, await build(spec), rows);
  const fresh = await build(spec);
  const { graph, masks } = traceTraining(spec, fresh, optimizer, {
    minibatch,
    hasFlat: false,
    isSparse: true,
  });
  const training = stepOf(spec, fresh, {
    graph: flushSlots(graph),
    minibatch,
    result: stepNames.loss,
  });
  choice.ofTraining(training.graph);
  const masked = masks.map(({ width }, i) => wholeInput(stepNames.mask(i), minibatch * width));
  const program = emitProgram(states, {
    predict: prediction,
    train: {
      ...training,
      inputs: [
        ...training.inputs,
        wholeInput(stepNames.labels, minibatch * labelWidth(spec.label)),
        wholeInput(stepNames.shares, minibatch),
        ...coefficientNames(spec.optimizer).map((name) => wholeInput(name, 1)),
        ...masked,
      ],
      shares: stepNames.shares,
    },
  });
  const tables = largeTables(spec, network, states, program);
  // (Of a large table it goes over the rows that were touched.)
  const ofTables = tables.flatMap(({ regions }) =>
    regions.map(({ rows: of, width }) => of * width),
  );
  const elements = elementsOf(tensors) - ofTables.reduce((sum, each) => sum + each, 0);
  const work = workOf(whole.graph, whole.minibatch, elements);
  return { ...program, outputs, mixesRows, work, tables, masks, initial: tensors };
}

/** The parts of a model's state: each of its weights, and each slot over all that are trained. */
export function stateParts({ layersModel }: Network, optimizer: Optimizer): StatePart[] {
  const trainable = variablesByName(layersModel.trainableWeights);
  return [
    ...[...variablesByName(layersModel.weights)].map(([name, { shape }]) => ({
      name,
      parts: [{ name, shape }],
    })),
    ...Object.keys(optimizer.slots).map((slot) => ({
      name: stepNames.slot(slot),
      parts: [...trainable].map(([name, { shape }]) => ({
        name: stepNames.slot(slot, name),
        shape,
      })),
    })),
  ];
}

function predictionOf(spec: Spec, network: Network, minibatch: number): ProgramStep {
  const graph = tracePrediction(spec, network, minibatch);
  return stepOf(spec, network, { graph, minibatch, result: stepNames.output });
}

/**
 * Rows of one step of predictions: the usual ones, and fewer of images of which a few fill a cache,
 * so that one of them takes no longer than it must. What is predicted for a row is the same.
 */
function rowsAtOnce({ nodes }: Graph): number {
  const { wasmPredictMinibatch: most, predictedElements } = limits;
  if (!nodes.some(({ op }) => windowOperators.has(op))) return most;
  const elements = nodes.flatMap(({ outputs }) => outputs.map(({ shape }) => sizeOf(shape)));
  const largest = elements.reduce((max, each) => Math.max(max, each), 0);
  return Math.max(1, Math.min(most, Math.floor((most * predictedElements) / largest)));
}

/**
 * The large tables of a generated network, each with the column that names its rows. (In a topology
 * what names them may be computed.)
 */
function largeTables(
  { network: declared }: Spec,
  { inputs }: Network,
  states: readonly StatePart[],
  program: Program,
): LargeTable[] {
  if ('topology' in declared) return [];
  const looked = inputs.flatMap(({ kind, name, offset: column }) =>
    kind === 'category' ? tablesOfInput(name).map((weight) => ({ weight, column })) : [],
  );
  return looked.flatMap(({ weight, column }) => {
    const regions = states.flatMap(({ name: part, parts }) =>
      regionsOf(part, parts, weight, program),
    );
    const [{ rows = 0, width = 0 } = {}] = regions;
    return rows * width < limits.largeTableElements ? [] : [{ column, regions }];
  });
}

/** Where a weight lies in a part of the state: as itself, or as the slot over it. */
function regionsOf(
  part: string,
  parts: StatePart['parts'],
  weight: string,
  { states }: Program,
): Region[] {
  let offset = 0;
  for (const { name, shape } of parts) {
    const [rows = 0, width = 0] = shape;
    if (name === weight || name.endsWith(`:${weight}`)) {
      const address = (states[part]?.address ?? 0) + offset * elementBytes;
      return [{ part, offset, address, rows, width }];
    }
    offset += sizeOf(shape);
  }
  return [];
}

async function build(spec: Spec): Promise<Network> {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  return buildNetwork(spec);
}

/** The array of a call that has all number columns, and the one of all categories. */
export const sampleArrays = { numbers: 'numbers', categories: 'categories' } as const;

function stepOf(
  spec: Spec,
  network: Network,
  { graph, minibatch, result }: { graph: Graph; minibatch: number; result: string },
): ProgramStep {
  const { numberWidth, categoryCount } = trainedLayoutOf(spec);
  const inputs = network.inputs.map(({ kind, offset, width }, i): StepInput => {
    const isNumbers = kind === 'numbers';
    return {
      name: stepNames.input(i),
      array: isNumbers ? sampleArrays.numbers : sampleArrays.categories,
      rows: minibatch,
      row: isNumbers ? numberWidth : categoryCount,
      offset,
      width,
    };
  });
  const given = [
    ...inputs.map(({ name }) => name),
    ...[stepNames.labels, stepNames.shares, ...coefficientNames(spec.optimizer)],
  ];
  const rewritten = rewrite(graph, new Set(given), { engine: 'wasm' });
  return { graph: rewritten, inputs, minibatch, result, isFused: spec.engine === 'wasm-fma' };
}

/** An input that a step takes as it is given. */
export function wholeInput(name: string, size: number): StepInput {
  return { name, array: name, rows: 1, row: size, offset: 0, width: size };
}
