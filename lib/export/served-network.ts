import * as tf from '@tensorflow/tfjs';
import type { EngineState } from '../engine/engine.ts';
import { partOf } from '../engine/experts/expert-parts.ts';
import { constantAnswer } from '../engine/experts/labels.ts';
import { answeringWeights } from '../engine/experts/mixture.ts';
import { mixtureOf } from '../engine/experts/mixture-tensors.ts';
import { comparedAt } from '../engine/experts/neighbours.ts';
import { type Part, partsOf } from '../engine/experts/parts.ts';
import { stackAmong } from '../engine/experts/stack.ts';
import { variablesByName } from '../engine/step.ts';
import { MillraceError } from '../errors.ts';
import { namesOfClasses } from '../features/classes.ts';
import { columnsOf } from '../features/columns.ts';
import { labelScaleOf, predictionRanges } from '../features/scaling.ts';
import { outputCount } from '../features/task.ts';
import { answerWeightsOf } from '../model/answer-weights.ts';
import type { Model } from '../model/model.ts';
import { buildNetwork } from '../network/build-network.ts';
import { generatedInputs } from '../network/layers.ts';
import type { Network, NetworkInput } from '../network/network.ts';
import { type Expert, isOfNeighbours, isOfTrees, isStack } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import type { Parameters } from '../state/state.ts';
import { comparedOutput } from './compared.ts';
import { grownAt, saidByTrees } from './grown.ts';
import { apply, bounded, calledWith, probabilities, setWeights } from './layers.ts';
import { type AnswerBounds, type Stacked, stackedOutput } from './stacked.ts';
import { weighedOutput } from './weighed.ts';

/** The layer that mixes what experts answer. */
export const mixtureLayer = 'experts-mixture';

/** The network that answers at a state, with its weights; of experts, all of them as one. */
export type ServedNetwork = Network & {
  /** Whether it ends in probabilities, and not in logits. */
  readonly isAnswer: boolean;
};

/** Builds it. @throws MillraceError kind `corrupt` if the state lacks a tensor */
export async function servedNetwork(
  { spec, encoder }: Pick<Model, 'spec' | 'encoder'>,
  state: Parameters,
): Promise<ServedNetwork> {
  const { experts } = spec.online;
  if (experts === undefined) return { ...(await builtNetwork(spec, state)), isAnswer: false };
  const ranges = predictionRanges(state.statistics, labelScaleOf(state.statistics, encoder.layout));
  const names = namesOfClasses(encoder.layout, state.statistics);
  const classes = names?.length ?? outputCount(spec.label);
  return mixedNetwork(spec, experts, state, { ranges, classes });
}

async function builtNetwork(spec: Spec, { tensors }: EngineState): Promise<Network> {
  const network = await buildNetwork(spec);
  for (const [name, variable] of variablesByName(network.layersModel.weights)) {
    const tensor = tensors[name];
    if (tensor === undefined) throw new MillraceError('corrupt', `the state has no tensor ${name}`);
    variable.assign(tf.tensor(tensor.data.slice(), variable.shape));
  }
  return network;
}

/** A network inside another: where its logits and its answers come out. */
type Member = {
  readonly network: Network;
  readonly logits: tf.SymbolicTensor;
  readonly answer: tf.SymbolicTensor;
};

async function mixedNetwork(
  spec: Spec,
  experts: readonly Expert[],
  state: Parameters,
  bounds: AnswerBounds,
): Promise<ServedNetwork> {
  const inputs = new Map<string, { readonly input: NetworkInput; symbol: tf.SymbolicTensor }>();
  const members = new Map<string, Member>();
  const symbolOf = (input: NetworkInput) => {
    const known = inputs.get(input.name);
    if (known !== undefined) return known.symbol;
    const dtype = input.kind === 'category' ? ('int32' as const) : ('float32' as const);
    const symbol = tf.input({ name: input.name, shape: [...input.shape], dtype });
    inputs.set(input.name, { input, symbol });
    return symbol;
  };
  const parts = partsOf(spec, experts);
  for (const part of parts) {
    if (part.spec === undefined) continue;
    const network = await builtNetwork(part.spec, partOf(state, part.name));
    nameAfter(part, network.layersModel);
    const taken = network.inputs.map((input) => symbolOf(seenInput(input, part)));
    const logits = calledWith(network.layersModel, taken);
    const { task } = spec;
    const answer =
      task === 'regression'
        ? bounded(part.name, logits, bounds.ranges)
        : probabilities(`${part.name}-probabilities`, task, logits);
    members.set(part.name, { network, logits, answer });
  }
  const [first] = members.values();
  if (first === undefined) throw new MillraceError('corrupt', 'there is no network among experts');
  const lookedAt = (isAsked: (input: NetworkInput) => boolean) => {
    const input = generatedInputs(spec).find(isAsked);
    if (input === undefined) throw new MillraceError('corrupt', 'there is nothing to look at');
    return symbolOf(input);
  };
  const numbers = () => lookedAt(({ kind }) => kind === 'numbers');
  const category = (column: number) => ({
    symbol: lookedAt(({ kind, offset }) => kind === 'category' && offset === column),
    rows: rowsOf(spec, column),
  });
  const said = parts.map(({ name, expert, labels }): Stacked | undefined => {
    if (isStack(expert)) return undefined;
    const network = members.get(name);
    if (network !== undefined) return network;
    if (isOfTrees(expert)) {
      const grown = grownAt(spec, expert, { kind: labels, state: partOf(state, name) });
      return saidByTrees(name, grown, { numbers, category }, bounds.ranges);
    }
    if (!isOfNeighbours(expert)) return { constant: constantAnswer(state, expert, labels) };
    const own = comparedAt(spec, expert, { kind: labels, state: partOf(state, name) });
    if (own.count === 0) return { constant: Float32Array.from(own.usual) };
    return { answer: comparedOutput(name, own, numbers()) };
  });
  const all = [...inputs.values()];
  const stack = stackAmong(spec, experts);
  const others = said.flatMap((each) => each ?? []);
  const answers = said.map((each) => {
    if (each !== undefined) return 'constant' in each ? each.constant : each.answer;
    return stack && stackedOutput(stack, state, others, bounds);
  });
  const mixed = mixedOutput(answers, answeringWeights(spec, mixtureOf(state)));
  const weights = answerWeightsOf(spec, state.statistics);
  return {
    ...first.network,
    layersModel: tf.model({
      inputs: all.map(({ symbol }) => symbol),
      outputs: weights === undefined ? mixed : weighedOutput(mixed, weights),
    }),
    inputs: all.map(({ input }) => input),
    isAnswer: true,
  };
}

/** An input of an expert among those of all. */
function seenInput(input: NetworkInput, { view }: Part): NetworkInput {
  if (view < 0 || input.kind === 'category') return input;
  return { ...input, name: `${input.name}-${view + 1}`, view };
}

/** How many values a category has, by its column of indices. */
function rowsOf(spec: Spec, column: number): number {
  const own = columnsOf(spec).find(
    ({ offsets, behaviour: { input } }) =>
      input.kind === 'table' && offsets.categoryOffset === column,
  );
  return own?.behaviour.input.kind === 'table' ? own.behaviour.input.rows : 0;
}

/** Layers are told apart by their expert. */
function nameAfter({ name }: Part, { layers }: tf.LayersModel): void {
  for (const layer of layers) {
    layer.name = `${name}-${layer.name}`;
    for (const weight of layer.weights) {
      const own = weight.originalName.replace(/^[^/]*/, layer.name);
      Reflect.set(weight, 'originalName', own);
    }
  }
}

/**
 * What the experts answer together: a layer of their weights, one for each output.
 *
 * @param answers what each says, or says of every sample
 */
function mixedOutput(
  answers: readonly (tf.SymbolicTensor | Float32Array | undefined)[],
  weights: Float64Array,
): tf.SymbolicTensor {
  const each = answers.filter((answer) => answer instanceof tf.SymbolicTensor);
  const outputs = Number(each[0]?.shape.at(-1) ?? 1);
  const kernel: number[] = [];
  const bias = new Float64Array(outputs);
  answers.forEach((answer, i) => {
    const weight = weights[i] ?? 0;
    if (answer instanceof Float32Array) {
      answer.forEach((value, output) => {
        bias[output] = (bias[output] ?? 0) + weight * value;
      });
    } else
      for (let from = 0; from < outputs; from++)
        for (let to = 0; to < outputs; to++) kernel.push(from === to ? weight : 0);
  });
  const joined =
    each.length === 1
      ? each[0]
      : apply(tf.layers.concatenate({ name: 'experts-answers', axis: 1 }), each);
  if (joined === undefined) throw new MillraceError('corrupt', 'there is no network among experts');
  const layer = tf.layers.dense({ name: mixtureLayer, units: outputs, trainable: false });
  const output = apply(layer, joined);
  setWeights(layer, [kernel, bias]);
  return output;
}
