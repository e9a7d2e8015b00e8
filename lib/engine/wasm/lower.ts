import { removeDeadNodes, shareSubexpressions } from '../rewrite/clean.ts';
import { type Graph, type Node, type Value, valuesOf } from '../trace/graph.ts';
import { GraphBuilder } from './graph-builder.ts';
import { lowerImages } from './lower-images.ts';

/**
 * Puts operators that this engine has no kernel for into terms of those that it has: softmax and
 * its logarithm are reductions and elementwise operators, which share what they have in common.
 */
export function lower(traced: Graph): Graph {
  const graph = removeDeadNodes(shareSubexpressions(lowerImages(traced)));
  const builder = new GraphBuilder(graph, 'softmax');
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const isSoftmax = node.op === 'Softmax' || node.op === 'LogSoftmax';
    if (!isSoftmax || output === undefined) builder.keep(node);
    else builder.replace(output, lowerSoftmax(builder, node, builder.input(node, 0)));
  }
  return shareSubexpressions(castOperands(builder.graph));
}

/** Operators on integers as well, if all of their operands are. */
const ofIntegers = new Set([
  ...['Add', 'Sub', 'Mul', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'],
]);
/** Operators whose operands may have any type. */
const ofAnything = new Set([
  ...['Cast', 'Identity', 'Reshape', 'Transpose', 'Slice', 'Split', 'Tile', 'Concat', 'Gather'],
  ...['And', 'Or', 'Not', 'OneHot', 'ScatterND'],
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
function lowerSoftmax(builder: GraphBuilder, { op }: Node, x: Value): Value {
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
  if (op === 'Softmax')
    return builder.node('Div', [powers, builder.reshape(sum, column)], { shape });
  const logarithm = builder.node('Log', [sum], { shape: rows });
  return builder.node('Sub', [shifted, builder.reshape(logarithm, column)], { shape });
}
