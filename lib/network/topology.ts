import * as tf from '@tensorflow/tfjs';
import { invalid, MillraceError, reasonOf } from '../errors.ts';
import { columnsOf, layoutOf } from '../features/columns.ts';
import { hashIntegers } from '../features/hash.ts';
import type { FeatureInput } from '../features/kinds/kind.ts';
import { show } from '../parse.ts';
import type { Spec } from '../spec/spec.ts';
import { completeNormalizations } from './batch-normalization.ts';
import { allLayers } from './dropout.ts';
import { endInLogits, isJson, type Json } from './last-activation.ts';
import { assertParameters, type BareNetwork, type NetworkInput, outputsOf } from './network.ts';
import { layerPartOf } from './weight-names.ts';

/**
 * The network of a user's own topology, as `model.toJSON()` writes it. Its inputs are matched to
 * features by name; if there is a single input of any other name, it takes all number and vector
 * features in the order of the spec. A sigmoid or softmax at its end is removed and applied to
 * predictions instead: the loss works on logits, which is exact where probabilities would round to
 * 0 or 1.
 *
 * @throws MillraceError kind `invalid` if tfjs cannot build it, or inputs or output do not fit the
 *   spec
 */
export async function fromTopology(spec: Spec, topology: Json): Promise<BareNetwork> {
  const config = structuredClone(topology);
  seedInitializers(config, spec.seed);
  endInLogits(spec, config);
  const layersModel = await load(spec, config);
  const outputs = outputsOf(spec);
  const outputShape = layersModel.outputs[0]?.shape ?? [];
  if (layersModel.outputs.length !== 1 || outputShape.length !== 2 || outputShape[1] !== outputs) {
    throw invalid(
      `spec.network.topology: the task ${spec.task} needs one output of shape ` +
        `[null,${outputs}] (found ${show(layersModel.outputs.map((output) => output.shape))})`,
    );
  }
  if ((spec.revision ?? 0) >= 7) {
    assertElements(layersModel);
    assertUnconstrained(layersModel);
  }
  completeNormalizations(layersModel);
  const { inputs: symbols } = layersModel;
  const inputs = symbols.map((input) => matchInput(spec, input, symbols.length));
  return { layersModel, inputs, outputs };
}

/** A window that is larger than what it slides over leaves nothing. */
function assertElements({ layers }: tf.LayersModel): void {
  for (const { name, inboundNodes } of allLayers(layers)) {
    const shapes = inboundNodes.flatMap(({ outputShapes }) => outputShapes.filter(Array.isArray));
    const empty = shapes.find((shape) => shape.includes(0));
    if (empty === undefined) continue;
    throw invalid(
      `spec.network.topology: nothing comes out of the layer ${name} (found the shape ` +
        `${show(empty)}); make its window smaller, or pad what it slides over`,
    );
  }
}

/** Weights that tfjs' own training would bring back into bounds after each step. */
function assertUnconstrained({ layers }: tf.LayersModel): void {
  for (const { name, weights } of allLayers(layers)) {
    const { constraint } = weights.find((weight) => weight.constraint) ?? {};
    if (!constraint) continue;
    throw invalid(
      `spec.network.topology: the layer ${name} has a constraint on its weights ` +
        `(found ${constraint.getClassName()}), which training does not keep; leave it out`,
    );
  }
}

async function load(spec: Spec, config: Json): Promise<tf.LayersModel> {
  const modelTopology = JSON.parse(JSON.stringify(config));
  try {
    return await countingParameters(spec, () => tf.models.modelFromJSON({ modelTopology }));
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw invalid(`spec.network.topology: tfjs cannot build it: ${reasonOf(cause)}`, cause);
  }
}

/**
 * Builds layers, and stops before the weight that would be one too many is allocated: a topology
 * of some lines can ask for more memory than there is. tfjs builds before it first gives way to
 * others.
 */
function countingParameters<Built>(spec: Spec, build: () => Promise<Built>): Promise<Built> {
  const { prototype } = tf.layers.Layer;
  const addWeight: unknown = Reflect.get(prototype, addWeightName);
  if (typeof addWeight !== 'function') throw new Error('tfjs adds weights in a different way');
  let count = 0;
  const added: { readonly dispose: () => void }[] = [];
  const counted = function (this: unknown, ...given: readonly unknown[]): unknown {
    const [, shape] = given;
    count += Array.isArray(shape) ? shape.reduce((product, size) => product * size, 1) : 0;
    assertParameters(spec, count);
    seedIfNone(given[3], spec.seed, added.length);
    const weight = Reflect.apply(addWeight, this, given);
    added.push(weight);
    return weight;
  };
  Reflect.set(prototype, addWeightName, counted);
  try {
    return build().catch((error: unknown) => {
      for (const weight of added) weight.dispose();
      throw error;
    });
  } finally {
    Reflect.set(prototype, addWeightName, addWeight);
  }
}

const addWeightName = 'addWeight';

/** A stream of seeds beside that of the initializers that a topology names. */
const unnamed = 0x756e;

/** Seeds the initializer that a layer has by default: its configuration does not say it. */
function seedIfNone(initializer: unknown, seed: number, index: number): void {
  if (typeof initializer !== 'object' || initializer === null || !('seed' in initializer)) return;
  initializer.seed ??= hashIntegers(seed, unnamed, index);
}

function matchInput(spec: Spec, input: tf.SymbolicTensor, inputCount: number): NetworkInput {
  const shape = input.shape.slice(1).map((size) => size ?? 1);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const name = input.sourceLayer.name;
  const columns = columnsOf(spec);
  const column =
    columns.find((each) => each.name === name) ??
    columns.find((each) => layerPartOf(each.name) === name);
  if (column !== undefined) {
    const { offsets, behaviour } = column;
    const width = behaviour.width.numbers + behaviour.width.categories;
    if (width !== size) {
      throw invalid(
        `spec.network.topology: input ${name} takes ${size} elements, its feature has ${width}`,
      );
    }
    assertTables(spec, input, behaviour.input);
    return behaviour.width.categories > 0
      ? { name, kind: 'category', offset: offsets.categoryOffset, width, shape }
      : { name, kind: 'numbers', offset: offsets.numberOffset, width, shape };
  }
  const { numberWidth, categoryCount } = layoutOf(spec);
  if (inputCount === 1 && categoryCount === 0 && size === numberWidth) {
    return { name, kind: 'numbers', offset: 0, width: numberWidth, shape };
  }
  throw invalid(
    `spec.network.topology: input ${name} of shape [${shape}] matches no feature; ` +
      `features: ${Object.keys(spec.features).join(', ')}`,
  );
}

/** Fields of tfjs' layers that its types do not declare. */
type Consumed = {
  readonly outboundNodes?: readonly {
    readonly outboundLayer?: tf.layers.Layer & { readonly inputDim?: number };
  }[];
};

/**
 * A table that has fewer rows than its feature has values would have none for some of them.
 * (Models of before 0.6 learnt as they could.)
 */
function assertTables(spec: Spec, input: tf.SymbolicTensor, feature: FeatureInput): void {
  if (feature.kind !== 'table' || (spec.revision ?? 0) < 2) return;
  const { outboundNodes = [] } = input.sourceLayer as Consumed;
  for (const { outboundLayer } of outboundNodes) {
    const { inputDim = feature.rows, name } = outboundLayer ?? {};
    if (outboundLayer?.getClassName() !== 'Embedding' || inputDim >= feature.rows) continue;
    throw invalid(
      `spec.network.topology: the layer ${name} has ${inputDim} rows (inputDim), its feature ` +
        `${input.sourceLayer.name} needs ${feature.rows}`,
    );
  }
}

/**
 * Gives random initializers a seed: without one, each build of the same spec would be a different
 * model.
 */
function seedInitializers(value: unknown, seed: number, counter = { next: 0 }): void {
  if (Array.isArray(value)) {
    for (const element of value) seedInitializers(element, seed, counter);
  } else if (isJson(value)) {
    for (const [key, nested] of Object.entries(value)) {
      if (
        key.endsWith('initializer') &&
        isJson(nested) &&
        isJson(nested.config) &&
        'seed' in nested.config
      ) {
        nested.config.seed ??= hashIntegers(seed, counter.next++);
      } else seedInitializers(nested, seed, counter);
    }
  }
}
