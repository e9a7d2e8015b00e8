import type { Tensors, Work } from '../engine.ts';
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

/** What an optimizer's pass over some elements takes at most, in products. */
export function workOfPass(elements: number): number {
  return 16 * elements;
}

/** The elements of some tensors. */
export function elementsOf(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
}

/** What an element takes that a node makes, in products: exponentials take more, copies less. */
const workOfElement = 8;

/**
 * The work on a row of a prediction's graph, and on learning one.
 *
 * @param elements of weights and slots that a step goes over
 */
export function workOf(graph: Graph, rows: number, elements: number): Work {
  const values = valuesOf(graph);
  const made = ({ outputs }: Node) => outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const work = graph.nodes.reduce(
    (sum, node) => sum + productsOf(node, values) + workOfElement * made(node),
    0,
  );
  const predicted = Math.ceil(work / rows);
  // Forwards, and for the gradients of weights and of inputs.
  return { predicted, learnt: 3 * predicted, step: workOfPass(elements) };
}
