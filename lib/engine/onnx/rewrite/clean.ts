import {
  type Constant,
  countUses,
  type Graph,
  isSameShape,
  type Node,
  replaceValues,
  type Value,
} from '../graph.ts';

/** Leaves out nodes and constants that no output needs. */
export function removeDeadNodes(graph: Graph): Graph {
  const needed = new Set([...graph.outputs.values()].map(({ name }) => name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some(({ name }) => needed.has(name))) continue;
    nodes.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  return {
    ...graph,
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}

/** Computes each value once: equal constants are one, and so are nodes with equal inputs and attributes. */
export function shareSubexpressions(graph: Graph): Graph {
  const replaced = new Map<string, Value>();
  const constants = new Map<string, Constant>();
  const byContent = new Map<string, Constant>();
  for (const constant of graph.constants.values()) {
    const content = JSON.stringify([constant.type, constant.shape, [...constant.data]]);
    const same = constant.data.length > largestSharedConstant ? undefined : byContent.get(content);
    if (same !== undefined) {
      replaced.set(constant.name, same);
      continue;
    }
    byContent.set(content, constant);
    constants.set(constant.name, constant);
  }
  const byMeaning = new Map<string, Node>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => replaced.get(name)?.name ?? name) };
    const meaning = JSON.stringify([node.op, node.domain, node.inputs, node.attributes]);
    const same = byMeaning.get(meaning);
    if (same === undefined) {
      byMeaning.set(meaning, node);
      nodes.push(node);
    } else {
      node.outputs.forEach((output, i) => {
        const value = same.outputs[i];
        if (value !== undefined) replaced.set(output.name, value);
      });
    }
  }
  return replaceValues({ ...graph, nodes, constants }, replaced);
}

/** Larger constants are not compared: they are weights or zeros, and seldom the same. */
const largestSharedConstant = 65_536;

/** Leaves out what changes nothing: copies, reshapes to the same shape, x · 1, x + 0, and reshapes of reshapes. */
export function removeIdentities(graph: Graph): Graph {
  const values = valuesOf(graph);
  const makers = new Map<string, Node>();
  const replaced = new Map<string, Value>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const inputs = original.inputs.map((name) => replaced.get(name)?.name ?? name);
    let node: Node = { ...original, inputs };
    const maker = makers.get(inputs[0] ?? '');
    if (node.op === 'Reshape' && maker?.op === 'Reshape') {
      node = { ...node, inputs: [maker.inputs[0] ?? '', inputs[1] ?? ''] };
    }
    const same = sameAs(node, values, graph.constants);
    const [output] = node.outputs;
    if (same !== undefined && output !== undefined) replaced.set(output.name, same);
    else nodes.push(node);
    for (const { name } of node.outputs) makers.set(name, node);
  }
  return replaceValues({ ...graph, nodes }, replaced);
}

/** Every value of a graph by its name. */
export function valuesOf(graph: Graph): ReadonlyMap<string, Value> {
  const values = [
    ...graph.inputs,
    ...graph.constants.values(),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ];
  return new Map(values.map((value) => [value.name, value]));
}

/** The input that a node only hands on, if it does. */
function sameAs(
  { op, inputs, outputs, attributes }: Node,
  values: ReadonlyMap<string, Value>,
  constants: Graph['constants'],
): Value | undefined {
  const [a, b] = inputs.map((name) => values.get(name));
  const [output] = outputs;
  if (a === undefined || output === undefined) return undefined;
  const keeps = (value: Value | undefined) => value !== undefined && isSameShape(value.shape, output.shape);
  const isAll = (value: Value | undefined, element: number) =>
    constants.get(value?.name ?? '')?.data.every((each) => each === element) ?? false;
  switch (op) {
    case 'Identity':
      return a;
    case 'Reshape':
    case 'Tile':
      return keeps(a) ? a : undefined;
    case 'Transpose': {
      const perm = attributes.perm;
      return Array.isArray(perm) && perm.every((axis, i) => axis === i) ? a : undefined;
    }
    case 'Mul':
      if (keeps(a) && isAll(b, 1)) return a;
      return keeps(b) && isAll(a, 1) ? b : undefined;
    case 'Add':
      if (keeps(a) && isAll(b, 0)) return a;
      return keeps(b) && isAll(a, 0) ? b : undefined;
    default:
      return undefined;
  }
}

/** An input of which only one other form is used is declared in that form: the caller reshapes it, once for all steps. */
export function reshapeInputs(graph: Graph, names: ReadonlySet<string>): Graph {
  const uses = countUses(graph);
  const reshapes = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    if (node.op === 'Reshape') {
      const name = node.inputs[0] ?? '';
      reshapes.set(name, [...(reshapes.get(name) ?? []), node]);
    }
  }
  const replaced = new Map<string, Value>();
  const inputs = graph.inputs.map((input) => {
    const forms = reshapes.get(input.name) ?? [];
    const [form] = forms.flatMap(({ outputs }) => outputs);
    if (!names.has(input.name) || form === undefined || forms.length !== uses.get(input.name)) return input;
    if (!forms.every(({ outputs }) => isSameShape(outputs[0]?.shape ?? [], form.shape))) return input;
    const reshaped: Value = { ...input, shape: form.shape };
    for (const { outputs } of forms) for (const { name } of outputs) replaced.set(name, reshaped);
    return reshaped;
  });
  return replaceValues(
    { ...graph, inputs, nodes: graph.nodes.filter(({ outputs }) => !replaced.has(outputs[0]?.name ?? '')) },
    replaced,
  );
}
