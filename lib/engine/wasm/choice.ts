import { limits } from '../../limits.ts';
import { allLayers } from '../../network/dropout.ts';
import type { Network } from '../../network/network.ts';
import type { Spec } from '../../spec/spec.ts';
import { type Graph, sizeOf, type Value, valuesOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';

/** Operators that networks of specs before revision 7 leave to ONNX Runtime. */
const onnxBefore7 = new Set(['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'Erf']);

/**
 * Whether a network trains on this engine though its spec names none: ONNX Runtime, on vectors
 * twice as wide or more, is faster where large matrices and filters do most of the work.
 *
 * @param network before it is traced
 * @returns tells by the graph of its predictions
 * @throws UntraceableError if it does not, both times
 */
export function chooseFor(spec: Spec, network: Network): (prediction: Graph) => void {
  const { engine, revision = 0 } = spec;
  if (engine !== undefined) return () => undefined;
  const matrices = matricesOf(network);
  const [largest] = matrices.filter(isLarge).toSorted((a, b) => sizeOf(b.shape) - sizeOf(a.shape));
  const hasFilters = matrices.some(({ shape }) => shape.length > 2);
  const refuse = ({ name, shape }: Matrix) => {
    throw new UntraceableError(
      `${name} has ${sizeOf(shape)} elements, and onnx is faster from ` +
        `${limits.wasmMatrixElements} on; name the engine wasm for the same bits on every processor`,
    );
  };
  if (largest !== undefined && !hasFilters) {
    network.layersModel.dispose();
    refuse(largest);
  }
  return (prediction) => {
    const later = prediction.nodes.find(({ op }) => onnxBefore7.has(op));
    if (revision < 7 && later !== undefined)
      throw new UntraceableError(`${later.op} of a model of before 0.20 stays on onnx`);
    if (largest !== undefined && !isMostElsewhere(prediction)) refuse(largest);
  };
}

/** A matrix of weights, or filters, by the name of its variable. */
type Matrix = { readonly name: string; readonly shape: readonly number[] };

function matricesOf({ layersModel }: Network): Matrix[] {
  return allLayers(layersModel.layers).flatMap((layer) =>
    layer.getClassName() === 'Embedding'
      ? []
      : layer.weights.flatMap(({ name, shape }) =>
          shape.length < 2 ? [] : [{ name, shape: shape.map((size) => size ?? 1) }],
        ),
  );
}

const isLarge = ({ shape }: Pick<Value, 'shape'>) => sizeOf(shape) > limits.wasmMatrixElements;

/** Whether products with large matrices and filters are less than half of all. */
function isMostElsewhere(graph: Graph): boolean {
  const values = valuesOf(graph);
  const products = graph.nodes.flatMap(({ op, inputs, outputs: [output], attributes }) => {
    const weight = values.get(inputs[1] ?? '');
    if (weight === undefined || output === undefined) return [];
    const { shape } = weight;
    // Each element of the output takes one column of a matrix, or one filter.
    if (op === 'Gemm' || op === 'MatMul') {
      const columns = shape.at(attributes.transB === 1 ? -2 : -1) ?? 1;
      return [{ weight, count: (sizeOf(output.shape) * sizeOf(shape)) / columns }];
    }
    if (op !== 'Conv' && op !== 'ConvTranspose') return [];
    // (Transposed, each element of the input gives to one filter.)
    const given = op === 'Conv' ? output : values.get(inputs[0] ?? '');
    return [{ weight, count: (sizeOf(given?.shape ?? []) * sizeOf(shape)) / (shape[0] ?? 1) }];
  });
  const total = (some: typeof products) => some.reduce((sum, { count }) => sum + count, 0);
  return 2 * total(products.filter(({ weight }) => isLarge(weight))) < total(products);
}
