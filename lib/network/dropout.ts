import type * as tf from '@tensorflow/tfjs';
import { invalid } from '../errors.ts';
import { bitsAt, hashIntegers } from '../features/hash.ts';

/** Draws a mask: 0 for a share `rate` of its elements, 1 / (1 − rate) for the others. */
export type DrawMask = (shape: readonly number[], rate: number) => tf.Tensor;

/**
 * Where the dropout of a network draws its masks in the order of its layers; an engine sets it
 * before a step.
 */
export type MaskSource = { draw: DrawMask };

/** Layers that tfjs draws for without a seed: no run could be repeated. */
const unseeded = new Set([
  'GaussianNoise',
  'GaussianDropout',
  'AlphaDropout',
  'RandomWidth',
  'RandomHeight',
]);

/** Fields of tfjs' layers that its types do not declare. */
type AnyLayer = tf.layers.Layer & {
  readonly rate?: number;
  readonly getNoiseShape?: (input: tf.Tensor) => readonly number[] | null | undefined;
  dropoutFunc?: (ones: tf.Tensor, rate: number) => tf.Tensor;
};

/**
 * Makes all dropout of a network, that of recurrent cells too, draw from one source instead of
 * tfjs' generator.
 *
 * @throws MillraceError kind `invalid` that names a layer whose randomness cannot be repeated
 */
export function maskSourceOf({ layers }: tf.LayersModel): MaskSource {
  const source: MaskSource = {
    draw() {
      throw new Error('a mask is drawn outside of a step');
    },
  };
  for (const layer of allLayers(layers)) {
    const kind = layer.getClassName();
    if (unseeded.has(kind)) {
      throw invalid(
        `spec.network.topology: the layer ${layer.name} (${kind}) draws at random ` +
          'without a seed, so that no run could be repeated; use Dropout',
      );
    }
    if ('dropoutFunc' in layer) layer.dropoutFunc = ({ shape }, rate) => source.draw(shape, rate);
    if (layer.getNoiseShape !== undefined) drawMasks(layer, source);
  }
  return source;
}

function drawMasks(layer: AnyLayer, source: MaskSource): void {
  const { rate = 0 } = layer;
  layer.call = (inputs, { training }) => {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor;
    if (training !== true || rate <= 0 || rate >= 1) return input.clone();
    return input.mul(source.draw(layer.getNoiseShape?.(input) ?? input.shape, rate));
  };
}

/** Layers with those inside them: of nested models, wrappers and recurrent cells. */
export function allLayers(layers: readonly tf.layers.Layer[]): AnyLayer[] {
  return layers.flatMap((layer) => {
    const inside = ['layers', 'layer', 'forwardLayer', 'backwardLayer', 'cell', 'cells'].flatMap(
      (property) => (Reflect.get(layer, property) ?? []) as tf.layers.Layer | tf.layers.Layer[],
    );
    return [layer as AnyLayer, ...allLayers(inside)];
  });
}

/** What decides the bits of a mask: the state's seed and step, and which mask of the step it is. */
export type MaskCounter = { readonly seed: number; readonly step: number; readonly index: number };

/**
 * Writes a mask whose bits come from counters alone: the same seed, step and place in the network
 * give the same mask in every process and on every engine, and a shorter mask is the beginning of a
 * longer one.
 */
export function writeMask(
  mask: Float32Array,
  rate: number,
  { seed, step, index }: MaskCounter,
): void {
  const key = hashIntegers(seed, step, index);
  const threshold = rate * 2 ** 32;
  const kept = 1 / (1 - rate);
  for (let i = 0; i < mask.length; i++) mask[i] = bitsAt(key, i) < threshold ? 0 : kept;
}
