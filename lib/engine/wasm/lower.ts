import { removeDeadNodes, shareSubexpressions } from '../rewrite/clean.ts';
import { type Graph, type Node, type Value, valuesOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { isElementwise } from './elementwise.ts';
import { GraphBuilder } from './graph-builder.ts';
import { lowerImages } from './lower-images.ts';

/**
 * Puts operators that this engine has no kernel for into terms of those that it has: softmax and
 * its logarithm are reductions and elementwise operators, which share what they have in common.
 */
export function lower(traced: Graph): Graph {
  const graph = lowerImages(traced);
  const builder = new GraphBuilder(graph, 'lowered');
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const lowered = lowerings[node.op]?.(builder, node);
    if (lowered !== undefined && output !== undefined) builder.replace(output, lowered);
    else builder.keep(isElementwise(node) ? withScalars(builder, node) : node);
  }
  return removeDeadNodes(shareSubexpressions(castOperands(builder.graph)));
}

/** What an operator is put into; undefined of one that has a kernel. */
type Lowering = (builder: GraphBuilder, node: Node) => Value | undefined;

const lowerings: Readonly<Record<string, Lowering>> = {
  Softmax: lowerSoftmax,
  LogSoftmax: lowerSoftmax,
  Slice: lowerReversal,
};

/** Constants of one value as that: they are broadcast, and weigh nothing in the module. */
function withScalars(builder: GraphBuilder, node: Node): Node {
  const inputs = node.inputs.map((name) => {
    const { type, data } = builder.constantOf(name) ?? {};
    const value = data?.subarray(0, 1);
    if (type === undefined || value === undefined || !data?.every((each) => each === value[0]))
      return name;
    return data.length === 1 ? name : builder.constant(type, value, []).name;
  });
  return { ...node, inputs };
}

/** Operators on integers as well, if all of their operands are. */
const ofIntegers = new Set([
  ...['Add', 'Sub', 'Mul', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'],
]);
/** Operators whose operands may have any type. */
const ofAnything = new Set([
  ...['Cast', 'Identity', 'Reshape', 'Transpose', 'Slice', 'Split', 'Tile', 'Concat', 'Gather'],
  ...['And', 'Or', 'Not', 'OneHot', 'ScatterND', 'Pad'],
]);

/**
 * Makes numbers of what tfjs computes with as such: it takes integers and truth values into any
 * arithmetic.
 */
function castOperands(graph: Graph): Graph {
  const types = new Map([...valuesOf(graph)].map(([name, { type }]) => [name, type]));
  const shapes = new Map([...valuesOf(graph)].map(([name, { shape }]) => [name, shape]));
  const isInteger = (name: string) => /^int/.test(types.get(name) ?? '');
  const nodes: Node[] = [];
  const asFloat = (name: string): string => {
    if (name === '' || types.get(name) === 'float32') return name;
    const cast: Value = { name: `${name}_float`, type: 'float32', shape: shapes.get(name) ?? [] };
    if (!types.has(cast.name)) {
      nodes.push({ op: 'Cast', inputs: [name], outputs: [cast], attributes: { to: 1 } });
      types.set(cast.name, cast.type);
      shapes.set(cast.name, cast.shape);
    }
    return cast.name;
  };
  const typed = (node: Node, type: Value['type']): Node => {
    for (const { name } of node.outputs) types.set(name, type);
    return { ...node, outputs: node.outputs.map((output) => ({ ...output, type })) };
  };
  for (const node of graph.nodes) {
    const [first = '', ...others] = node.inputs;
    const isOfIntegers = ofIntegers.has(node.op) && node.inputs.every(isInteger);
    const isComparison = node.outputs[0]?.type === 'bool';
    const isMixed = node.op === 'Concat' && !node.inputs.every(isInteger);
    if (ofAnything.has(node.op) && !isMixed) {
      // What only moves elements has the type of what it moves.
      const isMoving = node.op !== 'Cast' && node.op !== 'OneHot' && !isComparison;
      nodes.push(isMoving ? typed(node, types.get(first) ?? 'float32') : node);
    } else if (isOfIntegers) nodes.push(node);
    else if (/^Reduce/.test(node.op))
      nodes.push(typed({ ...node, inputs: [asFloat(first), ...others] }, 'float32'));
    else if (node.op === 'Where')
      nodes.push(typed({ ...node, inputs: [first, ...others.map(asFloat)] }, 'float32'));
    else {
      const inputs = node.inputs.map(asFloat);
      const [output] = node.outputs;
      if (output === undefined || !/^int/.test(output.type)) {
        nodes.push(typed({ ...node, inputs }, isComparison ? 'bool' : 'float32'));
        continue;
      }
      // tfjs computes numbers, and stores them as integers again.
      const number: Value = { ...output, name: `${output.name}_number`, type: 'float32' };
      nodes.push({ ...node, inputs, outputs: [number] });
      nodes.push({ op: 'Cast', inputs: [number.name], outputs: [output], attributes: { to: 6 } });
    }
  }
  return { ...graph, nodes };
}

/** Softmax over the last dimension, or its logarithm; both share what they have in common. */
function lowerSoftmax(builder: GraphBuilder, node: Node): Value {
  const x = builder.input(node, 0);
  const { shape } = x;
  const rows = shape.slice(0, -1);
  const column = [...rows, 1];
  const axes = builder.integers([shape.length - 1]);
  const attributes = { keepdims: 1 };
  const largest = builder.node('ReduceMax', [x, axes], { shape: column, attributes });
  const shifted = builder.node('Sub', [x, largest], { shape });
  const powers = builder.node('Exp', [shifted], { shape });
  // (tfjs writes the logarithm of the sum in the same way: both are computed once.)
  const sum = builder.node('ReduceSum', [powers, axes], {
    shape: rows,
    attributes: { keepdims: 0 },
  });
  if (node.op === 'Softmax')
    return builder.node('Div', [powers, builder.reshape(sum, column)], { shape });
  const logarithm = builder.node('Log', [sum], { shape: rows });
  return builder.node('Sub', [shifted, builder.reshape(logarithm, column)], { shape });
}

/** What is read from its end on is put together from its parts, of one element each. */
function lowerReversal(builder: GraphBuilder, node: Node): Value | undefined {
  const [starts, , axes, steps] = [1, 2, 3, 4].map((place) => [
    ...(builder.constantOf(node.inputs[place] ?? '')?.data ?? []),
  ]);
  if (steps?.every((step) => step > 0) !== false) return undefined;
  const isReversal = [...steps, ...(starts ?? [])].every((each) => each === -1);
  if (!isReversal) throw new UntraceableError('a slice in steps of less than -1');
  return (axes ?? []).reduce(
    (x, axis) => {
      const shape = x.shape.with(axis, 1);
      const parts = Array.from({ length: x.shape[axis] ?? 0 }, (_, i) => {
        const bounds = [[i], [i + 1], [axis]].map((each) => builder.integers(each));
        return builder.node('Slice', [x, ...bounds], { shape });
      });
      const attributes = { axis };
      return builder.node('Concat', parts.toReversed(), { shape: x.shape, attributes });
    },
    builder.input(node, 0),
  );
}
