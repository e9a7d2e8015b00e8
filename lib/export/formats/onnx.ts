import * as tf from '@tensorflow/tfjs';
import { rowsToTrace, withAnyRows } from '../../engine/onnx/any-rows.ts';
import { encodeModel } from '../../engine/onnx/encode.ts';
import { removeDeadNodes } from '../../engine/rewrite/clean.ts';
import { readWeights, variablesByName } from '../../engine/step.ts';
import type { Attribute, Constant, Graph, Node, Value } from '../../engine/trace/graph.ts';
import { stepNames } from '../../engine/trace/step-names.ts';
import { tracePrediction } from '../../engine/trace/trace.ts';
import { UntraceableError } from '../../engine/trace/untraceable.ts';
import { MillraceError } from '../../errors.ts';
import type { NetworkInput } from '../../network/network.ts';
import {
  type Exported,
  type ExportedFeature,
  predictionName,
  scalesUnder,
  scaleVectors,
} from '../exported.ts';
import { servedNetwork } from '../served-network.ts';
import type { Files } from './format.ts';

/**
 * One ONNX model for any number of rows, of ONNX' own operators and LabelEncoder alone. Its inputs
 * have the names of the features: numbers and vectors as float64, [rows, width], categories with
 * known values as texts, [rows, 1], hashed ones as int64 indices, those of a vocabulary as their
 * hashes. Its output `prediction`, [rows,
 * outputs], is what the model answers. Numbers are standardised in float64, as the model does it.
 *
 * @throws UntraceableError if the network cannot be traced, or looks at several rows at once
 */
export async function onnxFiles(exported: Exported): Promise<Files> {
  const { model, state, features, labelScale } = exported;
  await tf.setBackend('cpu');
  const network = await servedNetwork(model, state);
  const tensors = readWeights(variablesByName(network.layersModel.weights));
  const dimensions = [
    ...Object.values(tensors).flatMap(({ shape }) => shape),
    ...network.inputs.flatMap(({ shape }) => shape),
  ];
  const rows = rowsToTrace(dimensions);
  const traced = removeDeadNodes(
    tracePrediction(
      network.isAnswer ? { ...model.spec, task: 'regression' } : model.spec,
      network,
      rows,
    ),
  );
  // (Features may have any name.)
  const free = (name: string): string =>
    features.some((feature) => feature.name.startsWith(`${name}/`)) ? free(`${name}_`) : name;
  const core = withNames(withAnyRows(traced, rows), free('network'));
  const logic = core.outputs.get(stepNames.output);
  if (logic === undefined) throw new MillraceError('corrupt', 'the network has no output');

  const before = part(free('before'));
  network.inputs.forEach((input, i) => {
    const encoded = features.map((feature) => encode(before, feature, input.view));
    feed(before, { input, name: stepNames.input(i) }, { features, encoded });
  });
  const after = part(free('after'));
  const answer = { ...logic, shape: [-1, network.outputs] };
  const { means, deviations } = scaleVectors(labelScale);
  const prediction =
    labelScale === undefined
      ? answer
      : after.add(after.multiply(after.cast(answer, 'float64'), deviations), means);
  const weights = core.inputs.flatMap(({ name, shape }): Constant[] => {
    const tensor = tensors[name];
    return tensor === undefined ? [] : [{ name, type: 'float32', shape, data: tensor.data }];
  });
  const constants = [
    ...core.constants.values(),
    ...weights,
    ...before.constants,
    ...after.constants,
  ];
  const nodes = [...before.nodes, ...core.nodes, ...after.nodes];
  const own = new Set([...constants, ...nodes.flatMap(({ outputs }) => outputs)].map(nameOf));
  const taken = features.find(({ name }) => own.has(name));
  if (taken !== undefined)
    throw new UntraceableError(`an input cannot be called ${taken.name} there`);
  const whole = {
    inputs: features.map(inputOf),
    constants: new Map(constants.map((constant) => [constant.name, constant])),
    nodes,
    outputs: new Map([[predictionName(exported), prediction]]),
  };
  return { 'model.onnx': encodeModel(whole, ['ai.onnx.ml']) };
}

const nameOf = ({ name }: { readonly name: string }) => name;

/** Values of the graph under names that no feature has. */
function withNames(graph: Graph, prefix: string): Graph {
  const own = (name: string) => `${prefix}/${name}`;
  const made = new Set([
    ...graph.constants.keys(),
    ...graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)),
  ]);
  const nameOf = (name: string) => (made.has(name) ? own(name) : name);
  const renamed = <Named extends Value>(value: Named) => ({ ...value, name: nameOf(value.name) });
  return {
    inputs: graph.inputs,
    constants: new Map([...graph.constants].map(([name, each]) => [own(name), renamed(each)])),
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(nameOf),
      outputs: node.outputs.map(renamed),
    })),
    outputs: new Map([...graph.outputs].map(([name, value]) => [name, renamed(value)])),
  };
}

/** A feature as it comes in. */
function inputOf(feature: ExportedFeature): Value {
  const { name, width } = feature;
  if (feature.kind === 'numbers')
    return feature.table === undefined
      ? { name, type: 'float64', shape: [-1, width] }
      : { name, type: 'int64', shape: [-1, 1] };
  return { name, type: feature.values ? 'string' : 'int64', shape: [-1, width] };
}

/** A feature as the network takes it: standardised numbers, or indices. */
function encode(part: Part, feature: ExportedFeature, view?: number): Value {
  const { add, multiply, bounded, cast, node } = part;
  const input = inputOf(feature);
  const raw = feature.kind === 'numbers' ? rowsOfTable(part, feature, input) : input;
  if (feature.kind === 'numbers') {
    const { mean, scale, most } = scalesUnder(feature, view);
    const distance = add(
      raw,
      mean.map((each) => -each),
    );
    return cast(bounded(multiply(distance, scale), most), 'float32');
  }
  const { values, hashes } = feature;
  if (values === undefined && hashes === undefined) return raw;
  // (An encoder has one key at least; no text has the hash −1.)
  const known = hashes?.length === 0 ? [-1] : (hashes ?? []);
  const keys: Record<string, Attribute> =
    values === undefined ? { keys_int64s: known } : { keys_strings: { texts: values } };
  const places = Array.from({ length: values?.length ?? known.length }, (_, i) => i + 1);
  return node(
    'LabelEncoder',
    [raw],
    { type: 'int64', shape: raw.shape },
    { ...keys, values_int64s: places, default_int64: 0 },
  );
}

/** The numbers of a feature: what came in, or the row of its table that did. */
function rowsOfTable(
  { node, constant }: Part,
  { table, width }: Extract<ExportedFeature, { kind: 'numbers' }>,
  input: Value,
): Value {
  if (table === undefined) return input;
  const means = constant('float64', table, [table.length / width, width]);
  const gathered = node('Gather', [means, input], { type: 'float64', shape: [-1, 1, width] });
  const wanted = constant('int64', Int32Array.of(-1, width));
  return node('Reshape', [gathered, wanted], { type: 'float64', shape: [-1, width] });
}

/** Gives an input of the network the columns of its features, in its shape and under its name. */
function feed(
  { node, constant }: Part,
  { input, name }: { readonly input: NetworkInput; readonly name: string },
  {
    features,
    encoded,
  }: { readonly features: Exported['features']; readonly encoded: readonly Value[] },
): void {
  const { kind, offset, width, shape } = input;
  const own = encoded.filter((_, i) => {
    const feature = features[i];
    return feature?.kind === kind && feature.offset >= offset && feature.offset < offset + width;
  });
  const type = kind === 'category' ? 'int64' : 'float32';
  const columns =
    own.length === 1 ? own[0] : node('Concat', own, { type, shape: [-1, width] }, { axis: 1 });
  if (columns === undefined)
    throw new MillraceError('corrupt', `input ${input.name} has no feature`);
  const wanted = constant('int64', Int32Array.of(-1, ...shape));
  node('Reshape', [columns, wanted], { name, type, shape: [-1, ...shape] });
}

/** Nodes and constants that are added to a graph, with names of their own. */
type Part = ReturnType<typeof part>;

function part(prefix: string) {
  const nodes: Node[] = [];
  const constants: Constant[] = [];
  const newName = () => `${prefix}/${nodes.length + constants.length}`;
  const node = (
    op: string,
    inputs: readonly Value[],
    output: Omit<Value, 'name'> & { readonly name?: string },
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value => {
    const value = { name: newName(), ...output };
    const names = inputs.map(({ name }) => name);
    const domain = op === 'LabelEncoder' ? { domain: 'ai.onnx.ml' as const } : {};
    nodes.push({ op, ...domain, inputs: names, outputs: [value], attributes });
    return value;
  };
  const constant = (
    type: Value['type'],
    data: Constant['data'],
    shape: readonly number[] = [data.length],
  ): Value => {
    const value = { name: newName(), type, shape, data };
    constants.push(value);
    return value;
  };
  return {
    nodes,
    constants,
    node,
    constant,
    add: (a: Value, b: Float64Array) => node('Add', [a, constant('float64', b)], shapeOf(a)),
    multiply: (a: Value, b: Float64Array) => node('Mul', [a, constant('float64', b)], shapeOf(a)),
    /** No further from 0 than `most`, where that is finite. */
    bounded(a: Value, most: Float64Array): Value {
      if (!most.some(Number.isFinite)) return a;
      const least = constant(
        'float64',
        most.map((bound) => -bound),
      );
      const above = node('Max', [a, least], shapeOf(a));
      return node('Min', [above, constant('float64', most)], shapeOf(a));
    },
    cast: (a: Value, type: keyof typeof castTo) =>
      node('Cast', [a], { type, shape: a.shape }, { to: castTo[type] }),
  };
}

const shapeOf = ({ type, shape }: Value) => ({ type, shape });

/** ONNX' numbers of element types, as the attribute of a Cast has them. */
const castTo = { float32: 1, float64: 11 } as const;
