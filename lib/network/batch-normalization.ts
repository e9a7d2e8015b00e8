import * as tf from '@tensorflow/tfjs';
import { allLayers } from './dropout.ts';

/**
 * Lets batch normalisations train that have no scale (γ) or no center (β): tfjs reads both in each
 * step of training. They read ones and zeros, which are no weights.
 */
export function completeNormalizations({ layers }: tf.LayersModel): void {
  for (const layer of allLayers(layers)) {
    if (layer.getClassName() !== 'BatchNormalization') continue;
    const shape = layer.weights.find(({ originalName }) =>
      /moving_mean$/.test(originalName),
    )?.shape;
    const size = shape?.map((dimension) => dimension ?? 1) ?? [];
    for (const [name, constant] of [['gamma', tf.ones] as const, ['beta', tf.zeros] as const])
      if (!Reflect.get(layer, name)) Reflect.set(layer, name, { read: () => constant(size) });
  }
}
