import { shareSubexpressions } from '../rewrite/clean.ts';
import { type Constant, type Graph, type Node, type Value, valuesOf } from '../trace/graph.ts';

/**
 * Puts operators that this engine has no kernel for into terms of those that it has: softmax and
 * its logarithm are reductions and elementwise operators, which share what they have in common.
 */
export function lower(graph: Graph): Graph {
  const values = valuesOf(graph);
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.flatMap((node) => {
    const x = values.get(node.inputs[0] ?? '');
    const [output] = node.outputs;
    const isSoftmax = node.op === 'Softmax' || node.op === 'LogSoftmax';
    if (!isSoftmax || x === undefined || output === undefined) return [node];
    return lowerSoftmax(node, { x, output, constants });
  });
  return shareSubexpressions(castOperands({ ...graph, nodes, constants }));
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

type Softmax = {
  readonly x: Value;
  readonly output: Value;
  readonly constants: Map<string, Constant>;
};

function lowerSoftmax({ op }: Node, { x, output, constants }: Softmax): Node[] {
  const value = (part: string, shape: readonly number[] = x.shape): Value => ({
    name: `${output.name}_${part}`,
    type: 'float32',
    shape,
  });
  const rows = x.shape.slice(0, -1);
  const column = [...rows, 1];
  const integers = (part: string, data: readonly number[]): Value => {
    const constant = { ...value(part, [data.length]), type: 'int64' as const };
    constants.set(constant.name, { ...constant, data: Int32Array.from(data) });
    return constant;
  };
  const node = (
    made: string,
    inputs: readonly Value[],
    result: Value,
    attributes: Node['attributes'] = {},
  ): Node => ({
    op: made,
    inputs: inputs.map(({ name }) => name),
    outputs: [result],
    attributes,
  });
  const axes = integers('axes', [x.shape.length - 1]);
  const wide = integers('column', column);
  const [largest, shifted, powers] = [value('largest', column), value('shifted'), value('powers')];
  // (tfjs writes the logarithm of the sum in the same way: both are computed once.)
  const [sum, sumColumn] = [value('sum', rows), value('sum_column', column)];
  const shared = [
    node('ReduceMax', [x, axes], largest, { keepdims: 1 }),
    node('Sub', [x, largest], shifted),
    node('Exp', [shifted], powers),
    node('ReduceSum', [powers, axes], sum, { keepdims: 0 }),
  ];
  if (op === 'Softmax') {
    return [
      ...shared,
      node('Reshape', [sum, wide], sumColumn),
      node('Div', [powers, sumColumn], output),
    ];
  }
  const [logarithm, logarithms] = [value('logarithm', rows), value('logarithms', column)];
  return [
    ...shared,
    node('Log', [sum], logarithm),
    node('Reshape', [logarithm, wide], logarithms),
    node('Sub', [shifted, logarithms], output),
  ];
}
