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
  return shareSubexpressions({ ...graph, nodes, constants });
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
