import {
  type Constant,
  type Graph,
  isSameShape,
  type Node,
  sizeOf,
  type Value,
  valuesOf,
} from '../trace/graph.ts';

const unary = new Set([
  'Abs',
  'Clip',
  'Elu',
  'Erf',
  'Exp',
  'LeakyRelu',
  'Log',
  'Neg',
  'Reciprocal',
  'Relu',
  'Selu',
  'Sigmoid',
  'Sign',
  'Softplus',
  'Sqrt',
  'Tanh',
]);
const binary = new Set(['Add', 'Div', 'Max', 'Min', 'Mul', 'Sub']);

/**
 * Moves reshapes behind elementwise operators and sums, where they meet other reshapes and cancel:
 * tfjs runs matrices as stacks of one matrix, [1, m, n].
 *
 * @param stepInputs inputs that the caller can give in any shape of the same size
 */
export function sinkReshapes(graph: Graph, stepInputs: ReadonlySet<string>): Graph {
  const values = new Map(valuesOf(graph));
  const constants = new Map(graph.constants);
  const makers = new Map<string, Node>();
  const nodes: Node[] = [];
  const push = (node: Node) => {
    nodes.push(node);
    for (const output of node.outputs) {
      makers.set(output.name, node);
      values.set(output.name, output);
    }
  };
  const reshape = (from: Value, to: Value) => {
    const shape: Constant = {
      name: `${to.name}_shape`,
      type: 'int64',
      shape: [to.shape.length],
      data: Int32Array.from(to.shape),
    };
    constants.set(shape.name, shape);
    push({ op: 'Reshape', inputs: [from.name, shape.name], outputs: [to], attributes: {} });
  };
  /** What an input was before it was reshaped. */
  const sourceOf = (name: string): Value | undefined => {
    const maker = makers.get(name);
    return maker?.op === 'Reshape' ? values.get(maker.inputs[0] ?? '') : undefined;
  };

  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const moved =
      output === undefined
        ? undefined
        : sink(node, output, { values, constants, sourceOf, stepInputs });
    if (moved === undefined || output === undefined) {
      push(node);
      continue;
    }
    for (const { from, to } of moved.reshapes) reshape(from, to);
    if (moved.constant !== undefined) constants.set(moved.constant.name, moved.constant);
    push(moved.node);
    const [made] = moved.node.outputs;
    if (made !== undefined) reshape(made, output);
  }
  return { ...graph, nodes, constants };
}

type Moved = {
  readonly node: Node;
  readonly reshapes: readonly { readonly from: Value; readonly to: Value }[];
  readonly constant?: Constant;
};

/** What is known of the graph so far. */
type Known = {
  readonly values: ReadonlyMap<string, Value>;
  readonly constants: Graph['constants'];
  /** What a reshape was made from; undefined of any other value. */
  readonly sourceOf: (name: string) => Value | undefined;
  readonly stepInputs: ReadonlySet<string>;
};

function sink(
  node: Node,
  output: Value,
  { values, constants, sourceOf, stepInputs }: Known,
): Moved | undefined {
  const [first = '', second = ''] = node.inputs;
  const source = sourceOf(first);
  if (unary.has(node.op) && source !== undefined) {
    const made = { ...output, name: `${output.name}_flat`, shape: source.shape };
    return {
      node: { ...node, inputs: [source.name, ...node.inputs.slice(1)], outputs: [made] },
      reshapes: [],
    };
  }
  if (node.op === 'ReduceSum' && source !== undefined) {
    const shape = values.get(first)?.shape ?? [];
    return sinkSum(node, output, { source, shape, axes: constants.get(second) });
  }
  if (!binary.has(node.op)) return undefined;
  for (const side of [0, 1]) {
    const [name, otherName] = side === 0 ? [first, second] : [second, first];
    const from = sourceOf(name);
    const shape = values.get(name)?.shape ?? [];
    const other = values.get(otherName);
    if (from === undefined || other === undefined || !isSameShape(shape, output.shape)) continue;
    // An operand of the same shape takes the form of the other, unless that only moves the reshape
    // across.
    const isFree = from.shape.length <= shape.length || stepInputs.has(other.name);
    const isTwin = isFree && isSameShape(other.shape, shape);
    const isTrailing =
      other.shape.length <= commonTail(from.shape, shape) ||
      (sizeOf(other.shape) === 1 && other.shape.length <= from.shape.length);
    if (!isTwin && !isTrailing) continue;
    const twin = { ...other, name: `${output.name}_twin`, shape: from.shape };
    const operand = isTrailing ? other.name : twin.name;
    const made = { ...output, name: `${output.name}_flat`, shape: from.shape };
    const inputs = side === 0 ? [from.name, operand] : [operand, from.name];
    return {
      node: { ...node, inputs, outputs: [made] },
      reshapes: isTrailing ? [] : [{ from: other, to: twin }],
    };
  }
  return undefined;
}

/** How many dimensions two shapes share at their end. */
function commonTail(a: readonly number[], b: readonly number[]): number {
  let count = 0;
  while (count < Math.min(a.length, b.length) && a.at(-1 - count) === b.at(-1 - count)) count += 1;
  return count;
}

/** A sum over `axes` of a value of `shape`, which `source` was reshaped to. */
type Summed = {
  readonly source: Value;
  readonly shape: readonly number[];
  readonly axes: Constant | undefined;
};

/**
 * A sum over a reshape that only adds or drops dimensions of 1 is the sum over what was reshaped.
 */
function sinkSum(node: Node, output: Value, { source, shape, axes }: Summed): Moved | undefined {
  const places = (of: readonly number[]) =>
    of.flatMap((dimension, i) => (dimension === 1 ? [] : [i]));
  const [before, after] = [places(source.shape), places(shape)];
  const isSame = isSameShape(
    before.map((i) => source.shape[i] ?? 0),
    after.map((i) => shape[i] ?? 0),
  );
  if (axes === undefined || !isSame) return undefined;
  const summed = after.flatMap((place, i) => (axes.data.includes(place) ? [before[i] ?? 0] : []));
  const made: Value = {
    ...output,
    name: `${output.name}_flat`,
    shape: source.shape.filter((_, i) => !summed.includes(i)),
  };
  if (summed.length === 0) return undefined;
  const constant: Constant = {
    name: `${output.name}_axes`,
    type: 'int64',
    shape: [summed.length],
    data: Int32Array.from(summed),
  };
  return {
    node: {
      ...node,
      inputs: [source.name, constant.name],
      outputs: [made],
      attributes: { keepdims: 0 },
    },
    reshapes: [],
    constant,
  };
}
