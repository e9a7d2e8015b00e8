import {
  type Graph,
  isSameShape,
  type Node,
  replaceValues,
  type Value,
  valuesOf,
} from '../trace/graph.ts';

/**
 * Leaves out what changes nothing: copies, reshapes to the same shape, x · 1, x + 0, and reshapes
 * of reshapes.
 */
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
    if (node.op === 'Transpose' && maker?.op === 'Transpose') {
      const [outer, inner] = [permOf(node), permOf(maker)];
      const perm = outer.map((axis) => inner[axis] ?? axis);
      node = { ...node, inputs: [maker.inputs[0] ?? ''], attributes: { perm } };
    }
    const same = sameAs(node, values, graph.constants);
    const [output] = node.outputs;
    if (same !== undefined && output !== undefined) replaced.set(output.name, same);
    else nodes.push(node);
    for (const { name } of node.outputs) makers.set(name, node);
  }
  return replaceValues({ ...graph, nodes }, replaced);
}

function permOf({ attributes }: Node): readonly number[] {
  return Array.isArray(attributes.perm) ? attributes.perm : [];
}

/** The input of a node that does nothing but hand it on; undefined for any other node. */
function sameAs(
  node: Node,
  values: ReadonlyMap<string, Value>,
  constants: Graph['constants'],
): Value | undefined {
  const { op, inputs, outputs } = node;
  const [a, b] = inputs.map((name) => values.get(name));
  const [output] = outputs;
  if (a === undefined || output === undefined) return undefined;
  const keeps = (value: Value | undefined) =>
    value !== undefined && isSameShape(value.shape, output.shape);
  const isAll = (value: Value | undefined, element: number) =>
    constants.get(value?.name ?? '')?.data.every((each) => each === element) ?? false;
  switch (op) {
    case 'Identity':
      return a;
    case 'Reshape':
    case 'Tile':
      return keeps(a) ? a : undefined;
    case 'Transpose': {
      return permOf(node).every((axis, i) => axis === i) ? a : undefined;
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
