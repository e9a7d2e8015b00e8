import * as tf from '@tensorflow/tfjs';
import type { EngineState } from '../engine/engine.ts';
import { type Part, partOf, partsOf } from '../engine/experts/compile-experts.ts';
import { constantAnswer } from '../engine/experts/labels.ts';
import { answeringWeights } from '../engine/experts/mixture.ts';
import { mixtureOf } from '../engine/experts/mixture-tensors.ts';
import { variablesByName } from '../engine/step.ts';
import { MillraceError } from '../errors.ts';
import { labelScaleOf, predictionRanges, type Range } from '../features/scaling.ts';
import type { Model } from '../model/model.ts';
import { buildNetwork } from '../network/build-network.ts';
import type { Network, NetworkInput } from '../network/network.ts';
import type { Expert } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import type { Parameters } from '../state/state.ts';
import { apply, calledWith, eachTimes, probabilities, setWeights } from './layers.ts';

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
  return mixedNetwork(spec, experts, state, ranges);
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

/** A network inside another: where its answers come out. */
type Member = { readonly network: Network; readonly output: tf.SymbolicTensor };

async function mixedNetwork(
  spec: Spec,
  experts: readonly Expert[],
  state: EngineState,
  ranges: readonly (Range | undefined)[],
): Promise<ServedNetwork> {
  const inputs = new Map<string, { readonly input: NetworkInput; symbol: tf.SymbolicTensor }>();
  const members: Member[] = [];
  const parts = partsOf(spec, experts);
  for (const part of parts) {
    if (part.spec === undefined) continue;
    const network = await builtNetwork(part.spec, partOf(state, part.name));
    nameAfter(part, network.layersModel);
    const taken = network.inputs.map((input) => {
      const own = seenInput(input, part);
      const known = inputs.get(own.name);
      if (known !== undefined) return known.symbol;
      const dtype = input.kind === 'category' ? ('int32' as const) : ('float32' as const);
      const symbol = tf.input({ name: own.name, shape: [...input.shape], dtype });
      inputs.set(own.name, { input: own, symbol });
      return symbol;
    });
    const logits = calledWith(network.layersModel, taken);
    const { task } = spec;
    const output =
      task === 'regression'
        ? bounded(part.name, logits, ranges)
        : probabilities(`${part.name}-probabilities`, task, logits);
    members.push({ network, output });
  }
  const [first] = members;
  if (first === undefined) throw new MillraceError('corrupt', 'there is no network among experts');
  const all = [...inputs.values()];
  return {
    ...first.network,
    layersModel: tf.model({
      inputs: all.map(({ symbol }) => symbol),
      outputs: mixedOutput(members, parts, state, answeringWeights(spec, mixtureOf(state))),
    }),
    inputs: all.map(({ input }) => input),
    isAnswer: true,
  };
}

/** Values no further than the range of each output. */
function bounded(
  name: string,
  output: tf.SymbolicTensor,
  ranges: readonly (Range | undefined)[],
): tf.SymbolicTensor {
  if (ranges.every((range) => range === undefined)) return output;
  // (Of an output whose labels have not varied, what a network says is nothing.)
  const own = ranges.map((range): Range => range ?? [0, 1]);
  const [first = [0, 1]] = own;
  // A rectifier lets through what is between 0 and its largest value, the same for all.
  const most = own.length === 1 ? first[1] - first[0] : 1;
  const widths = own.map(([least, greatest]) => (greatest - least) / most);
  const leasts = own.map(([least]) => least);
  const shifted = eachTimes(`${name}-from-least`, output, {
    factors: widths.map((width) => 1 / width),
    offsets: leasts.map((least, i) => -least / (widths[i] ?? 1)),
  });
  const layer = tf.layers.reLU({ name: `${name}-in-range`, maxValue: most });
  return eachTimes(`${name}-to-least`, apply(layer, shifted), { factors: widths, offsets: leasts });
}

/** An input of an expert among those of all. */
function seenInput(input: NetworkInput, { view }: Part): NetworkInput {
  if (view < 0 || input.kind === 'category') return input;
  return { ...input, name: `${input.name}-${view + 1}`, view };
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

/** What the experts answer together: a layer of their weights, one for each output. */
function mixedOutput(
  members: readonly Member[],
  parts: readonly Part[],
  state: EngineState,
  weights: Float64Array,
): tf.SymbolicTensor {
  const outputs = members[0]?.network.outputs ?? 1;
  const kernel: number[] = [];
  const bias = new Float64Array(outputs);
  parts.forEach(({ spec, expert, labels }, i) => {
    const weight = weights[i] ?? 0;
    if (spec === undefined) {
      constantAnswer(state, expert, labels).forEach((answer, output) => {
        bias[output] = (bias[output] ?? 0) + weight * answer;
      });
    } else
      for (let from = 0; from < outputs; from++)
        for (let to = 0; to < outputs; to++) kernel.push(from === to ? weight : 0);
  });
  const each = members.map(({ output }) => output);
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
