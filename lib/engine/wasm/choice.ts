import type * as tf from '@tensorflow/tfjs';
import { allLayers } from '../../network/dropout.ts';
import type { Network } from '../../network/network.ts';
import { optimizerOf } from '../../network/optimizers.ts';
import type { Spec } from '../../spec/spec.ts';
import { type Graph, type Node, sizeOf, type Value, valuesOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { productsOf } from '../trace/work.ts';
import { windowOperators } from './image-windows.ts';

/** Tells whether a network trains on this engine, by the graphs of its steps. */
export type Choice = {
  /** @throws UntraceableError if it does not */
  readonly ofPrediction: (graph: Graph) => void;
  /** @throws UntraceableError if it does not */
  readonly ofTraining: (graph: Graph) => void;
};

/** Elements of a matrix of weights, and of filters, beyond which ONNX Runtime is faster. */
const mostOfMatrix = 16_384;
const mostOfFilter = 6_144;

/**
 * Elements of a matrix, and of all, up to which it is not, where no step has more rows than these:
 * an optimizer with slots goes over all weights once a step, and calls between the two cost more.
 */
const ofFewRows = { matrix: 524_288, all: 1_048_576, online: 8, batch: 32 } as const;

/**
 * Whether a network trains on this engine though its spec names none: ONNX Runtime, on vectors
 * twice as wide or more, is faster where large matrices and filters do most of the work.
 *
 * @param network before it is traced
 * @throws UntraceableError if its weights alone say that it does not
 */
export function chooseFor(spec: Spec, network: Network): Choice {
  const { engine, revision = 0 } = spec;
  if (engine !== undefined) return { ofPrediction: () => undefined, ofTraining: () => undefined };
  const { layers } = network.layersModel;
  const matrices = matricesOf(layers);
  const large = hasFewRows(spec, matrices) ? [] : matrices.filter(isLarge);
  const [largest] = large.toSorted((a, b) => sizeOf(b.shape) - sizeOf(a.shape));
  const refuse = ({ name, shape }: Matrix) => {
    throw new UntraceableError(
      `${name} has ${sizeOf(shape)} elements, and onnx is faster with such matrices and filters, ` +
        'but for Adam and the like in minibatches of a few rows; name the engine wasm for the same ' +
        'bits on every processor',
    );
  };
  if (largest !== undefined && !hasWindows(layers)) {
    network.layersModel.dispose();
    refuse(largest);
  }
  const assertOfRevision = (graph: Graph) => {
    const later = graph.nodes.find((node) => isSince7(node, graph));
    if (revision < 7 && later !== undefined)
      throw new UntraceableError(`${later.op} of a model of before 0.20 stays on onnx`);
  };
  return {
    ofPrediction(graph) {
      assertOfRevision(graph);
      if (largest !== undefined && !isMostElsewhere(graph)) refuse(largest);
    },
    ofTraining: assertOfRevision,
  };
}

/**
 * Whether steps of a spec have so few rows that its optimizer takes longer than the products with
 * its matrices. (In a topology a row may have many, as of a sequence.)
 */
function hasFewRows(spec: Spec, matrices: readonly Matrix[]): boolean {
  const { network, optimizer, online, batch, revision = 0 } = spec;
  const sizes = matrices.map(({ shape }) => sizeOf(shape));
  const { ratio = 0 } = online.replay ?? {};
  return (
    revision >= 17 &&
    !('topology' in network) &&
    Object.keys(optimizerOf(optimizer).slots).length > 0 &&
    online.minibatch * (1 + ratio) <= ofFewRows.online &&
    batch.minibatch <= ofFewRows.batch &&
    sizes.every((size) => size <= ofFewRows.matrix) &&
    sizes.reduce((sum, size) => sum + size, 0) <= ofFewRows.all
  );
}

/** Whether this engine has had a kernel for a node since revision 7 of specs. */
function isSince7({ op, inputs }: Node, { constants }: Graph): boolean {
  if (op === 'Slice') return constants.get(inputs[4] ?? '')?.data.some((step) => step < 0) ?? false;
  return windowOperators.has(op) || op === 'Erf' || op === 'Pad';
}

/** A matrix of weights, or filters, by the name of its variable. */
type Matrix = { readonly name: string; readonly shape: readonly number[] };

function matricesOf(layers: readonly tf.layers.Layer[]): Matrix[] {
  return allLayers(layers).flatMap((layer) =>
    layer.getClassName() === 'Embedding'
      ? []
      : layer.weights.flatMap(({ name, shape }) =>
          shape.length < 2 ? [] : [{ name, shape: shape.map((size) => size ?? 1) }],
        ),
  );
}

/** Whether some layer slides windows over images. */
function hasWindows(layers: readonly tf.layers.Layer[]): boolean {
  return allLayers(layers).some((layer) => /Conv|Pooling/.test(layer.getClassName()));
}

function isLarge({ shape }: Pick<Value, 'shape'>): boolean {
  return sizeOf(shape) > (shape.length > 2 ? mostOfFilter : mostOfMatrix);
}

/** Whether products with large matrices and filters are less than half of all. */
function isMostElsewhere(graph: Graph): boolean {
  const values = valuesOf(graph);
  const isOfLarge = ({ inputs: [, weight = ''] }: Node) =>
    isLarge({ shape: values.get(weight)?.shape ?? [] });
  const products = (nodes: readonly Node[]) =>
    nodes.reduce((sum, node) => sum + productsOf(node, values), 0);
  return 2 * products(graph.nodes.filter(isOfLarge)) < products(graph.nodes);
}
