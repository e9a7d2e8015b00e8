import {
  countUses,
  type Graph,
  isSameShape,
  type Node,
  producers,
  sizeOf,
  type Value,
  valuesOf,
} from '../trace/graph.ts';

/** Gemm(A, B) + C, with C a row, is one Gemm(A, B, C). */
export function fuseBias(graph: Graph): Graph {
  const makers = producers(graph);
  const uses = countUses(graph);
  const values = valuesOf(graph);
  return mapNodes(graph, (node) => {
    if (node.op !== 'Add') return node;
    for (const [name, bias] of [node.inputs, node.inputs.toReversed()]) {
      const gemm = makers.get(name ?? '');
      const [product] = gemm?.outputs ?? [];
      const shape = values.get(bias ?? '')?.shape ?? [];
      const isRow = shape.length > 0 && shape.length <= 2 && sizeOf(shape) === product?.shape[1];
      const isOnlyUse = uses.get(name ?? '') === 1;
      if (gemm?.op !== 'Gemm' || gemm.inputs.length !== 2 || !isRow || !isOnlyUse) continue;
      if (!isSameShape(product?.shape ?? [], node.outputs[0]?.shape ?? [])) continue;
      return { ...gemm, inputs: [...gemm.inputs, bias ?? ''], outputs: node.outputs };
    }
    return node;
  });
}

/**
 * W + s · Gemm(A, D), with s a number, is Gemm(A, s · D, W): the update of gradient descent without
 * a pass over the weights of its own. In the same way E + s · ScatterND(0, i, D) is ScatterND(E, i,
 * s · D), which touches only the rows in use; and b + s · ReduceSum(D) is b + ReduceSum(s · D),
 * which shares s · D.
 */
export function fuseDescent(graph: Graph): Graph {
  const makers = producers(graph);
  const uses = countUses(graph);
  const values = valuesOf(graph);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const update = node.op === 'Add' ? scaledGradient(node, makers, uses, values) : undefined;
    if (update === undefined) {
      nodes.push(node);
      continue;
    }
    const { weights, scale, gradient } = update;
    const isReduction = gradient.op === 'ReduceSum';
    const place = gradient.op === 'ReduceSum' ? 0 : gradient.op === 'Gemm' ? 1 : 2;
    const factor = values.get(gradient.inputs[place] ?? '');
    const [output] = node.outputs;
    if (factor === undefined || output === undefined) {
      nodes.push(node);
      continue;
    }
    const scaled: Value = { ...factor, name: `${output.name}_scaled` };
    nodes.push({ op: 'Mul', inputs: [factor.name, scale], outputs: [scaled], attributes: {} });
    if (isReduction) {
      const sum: Value = { ...output, name: `${output.name}_sum` };
      nodes.push({
        ...gradient,
        inputs: [scaled.name, ...gradient.inputs.slice(1)],
        outputs: [sum],
      });
      nodes.push({ ...node, inputs: [weights, sum.name] });
    } else if (gradient.op === 'Gemm') {
      const [a = ''] = gradient.inputs;
      nodes.push({ ...gradient, inputs: [a, scaled.name, weights], outputs: [output] });
    } else {
      nodes.push({
        ...gradient,
        inputs: [weights, gradient.inputs[1] ?? '', scaled.name],
        outputs: [output],
      });
    }
  }
  return { ...graph, nodes };
}

/**
 * The sum of a matrix over its rows is a row of ones times the matrix, which ORT computes up to
 * four times as fast; and b + that sum is the same product with a bias.
 */
export function multiplyOnes(graph: Graph): Graph {
  const uses = countUses(graph);
  const makers = producers(graph);
  const values = valuesOf(graph);
  const constants = new Map(graph.constants);
  const integers = (name: string, integers: readonly number[]) => {
    constants.set(name, {
      name,
      type: 'int64',
      shape: [integers.length],
      data: Int32Array.from(integers),
    });
    return name;
  };
  /** The matrix that a node sums over its rows. */
  const summed = (node: Node | undefined): Value | undefined => {
    const matrix = values.get(node?.inputs[0] ?? '');
    const axes = graph.constants.get(node?.inputs[1] ?? '')?.data;
    const isOverRows = node?.op === 'ReduceSum' && axes?.length === 1 && axes[0] === 0;
    return isOverRows && matrix?.shape.length === 2 && matrix.type === 'float32'
      ? matrix
      : undefined;
  };
  const product = (matrix: Value, output: Value, bias: readonly string[]): Node[] => {
    const [rows = 1, columns = 1] = matrix.shape;
    const ones = `ones/${rows}`;
    constants.set(ones, {
      name: ones,
      type: 'float32',
      shape: [1, rows],
      data: new Float32Array(rows).fill(1),
    });
    const row: Value = { ...output, name: `${output.name}_row`, shape: [1, columns] };
    const shape = integers(`${output.name}_shape`, output.shape);
    return [
      { op: 'Gemm', inputs: [ones, matrix.name, ...bias], outputs: [row], attributes: {} },
      { op: 'Reshape', inputs: [row.name, shape], outputs: [output], attributes: {} },
    ];
  };
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [output] = node.outputs;
    if (output === undefined) return [node];
    const matrix = summed(node);
    if (matrix !== undefined) return product(matrix, output, []);
    for (const [name = '', bias = ''] of node.op === 'Add'
      ? [node.inputs, node.inputs.toReversed()]
      : []) {
      const addend = summed(makers.get(name));
      const isRow = isSameShape(values.get(bias)?.shape ?? [], [addend?.shape[1] ?? -1]);
      if (addend !== undefined && isRow && uses.get(name) === 1)
        return product(addend, output, [bias]);
    }
    return [node];
  });
  return { ...graph, nodes, constants };
}

/**
 * (x · y) · s, with s a number and y known before the step, is x · (y · s): the second product is
 * done for all steps at once, before the first.
 */
export function scaleInputs(graph: Graph, stepInputs: ReadonlySet<string>): Graph {
  const makers = producers(graph);
  const uses = countUses(graph);
  const values = valuesOf(graph);
  const known = new Set([...stepInputs, ...graph.constants.keys()]);
  for (const { inputs, outputs } of graph.nodes) {
    if (inputs.every((name) => known.has(name))) for (const { name } of outputs) known.add(name);
  }
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [name = '', scale = ''] = node.inputs;
    const product = makers.get(name);
    const isScaled = node.op === 'Mul' && product?.op === 'Mul' && uses.get(name) === 1;
    const input = product?.inputs.find((each) => known.has(each));
    const other = product?.inputs.find((each) => each !== input);
    const value = values.get(input ?? '');
    const [output] = node.outputs;
    if (!isScaled || value === undefined || other === undefined || output === undefined)
      return [node];
    if (values.get(scale)?.shape.length !== 0) return [node];
    const scaled: Value = { ...value, name: `${output.name}_input` };
    return [
      { ...node, inputs: [value.name, scale], outputs: [scaled] },
      { ...node, inputs: [other, scaled.name] },
    ];
  });
  return { ...graph, nodes };
}

function scaledGradient(
  { inputs, outputs }: Node,
  makers: ReadonlyMap<string, Node>,
  uses: ReadonlyMap<string, number>,
  values: ReadonlyMap<string, Value>,
): { readonly weights: string; readonly scale: string; readonly gradient: Node } | undefined {
  for (const [weights = '', name = ''] of [inputs, inputs.toReversed()]) {
    const product = makers.get(name);
    if (product?.op !== 'Mul' || uses.get(name) !== 1) continue;
    for (const [gradientName = '', scale = ''] of [product.inputs, product.inputs.toReversed()]) {
      const gradient = makers.get(gradientName);
      const isNumber = values.get(scale)?.shape.length === 0;
      const isKnown = ['Gemm', 'ReduceSum', 'ScatterND'].includes(gradient?.op ?? '');
      const isPlain = gradient?.op !== 'Gemm' || gradient.inputs.length === 2;
      const isWhole = isSameShape(values.get(weights)?.shape ?? [], outputs[0]?.shape ?? [-1]);
      if (
        gradient !== undefined &&
        isNumber &&
        isKnown &&
        isPlain &&
        isWhole &&
        uses.get(gradientName) === 1
      ) {
        return { weights, scale, gradient };
      }
    }
  }
  return undefined;
}

function mapNodes(graph: Graph, change: (node: Node) => Node): Graph {
  return { ...graph, nodes: graph.nodes.map(change) };
}
