import { type Graph, type Node, sizeOf, type Value, valuesOf } from './graph.ts';

/** The products of a node, and the elements of its windows. */
export function productsOf(
  { op, inputs, outputs: [output], attributes }: Node,
  values: ReadonlyMap<string, Value>,
): number {
  const [x, weight] = inputs.map((name) => values.get(name)?.shape ?? []);
  const made = sizeOf(output?.shape ?? []);
  const size = sizeOf(weight ?? []);
  switch (op) {
    // Each element of the output takes one column of a matrix, or one filter.
    case 'Gemm':
    case 'MatMul':
      return (made * size) / (weight?.at(attributes.transB === 1 ? -2 : -1) ?? 1);
    case 'Conv':
      return (made * size) / (weight?.[0] ?? 1);
    case 'ConvTranspose':
      return (sizeOf(x ?? []) * size) / (weight?.[0] ?? 1);
    case 'MaxPool':
    case 'AveragePool': {
      const kernel = attributes.kernel_shape;
      return made * sizeOf(Array.isArray(kernel) ? kernel : []);
    }
    default:
      return 0;
  }
}

/**
 * The work of a graph for each of its rows, in products: what a node makes takes about one for each
 * element, too.
 */
export function workOfRow(graph: Graph, rows: number): number {
  const values = valuesOf(graph);
  const made = ({ outputs }: Node) => outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const work = graph.nodes.reduce((sum, node) => sum + productsOf(node, values) + made(node), 0);
  return Math.ceil(work / rows);
}
