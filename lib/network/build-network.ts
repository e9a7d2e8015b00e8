import * as tf from '@tensorflow/tfjs';
import type { Spec } from '../spec/spec.ts';
import { allLayers, maskSourceOf } from './dropout.ts';
import { fromLayers } from './layers.ts';
import { assertParameters, type Network } from './network.ts';
import { tablesOf } from './tables.ts';
import { fromTopology } from './topology.ts';

/**
 * Builds the network of a spec with weights from its seed: the same spec gives the same weights.
 *
 * @throws MillraceError kind `invalid` if a topology does not fit the features, label or limits
 */
export async function buildNetwork(spec: Spec): Promise<Network> {
  // Without it, tfjs greets whoever uses it first.
  tf.enableProdMode();
  const { network: declared } = spec;
  const network =
    'topology' in declared
      ? await fromTopology(spec, declared.topology)
      : fromLayers(spec, declared);
  assertParameters(spec, network.layersModel.countParams());
  // (Models of before 0.5 have no initial weights, and learn on as they did.)
  if (spec.initialWeights !== undefined) freeze(network.layersModel);
  const masks = maskSourceOf(network.layersModel);
  const mixesRows = allLayers(network.layersModel.layers).some(
    (layer) => layer.getClassName() === 'BatchNormalization',
  );
  // (In models of before 0.6 all rows of a table change, as their optimizer has it.)
  if ((spec.revision ?? 0) < 2) return { ...network, mixesRows, masks };
  const tables = tablesOf(network.layersModel, mixesRows);
  return { ...network, mixesRows, masks, tables };
}

/**
 * Layers of BatchNormalization that are not trainable keep to their stored statistics while the
 * others learn, as in Keras; tfjs alone would take those of the minibatch.
 */
function freeze({ layers }: tf.LayersModel): void {
  for (const layer of layers) {
    if ('layers' in layer) freeze(layer as tf.LayersModel);
    if (layer.getClassName() !== 'BatchNormalization' || layer.trainable) continue;
    const call = layer.call.bind(layer);
    layer.call = (inputs, settings) => call(inputs, { ...settings, training: false });
  }
}
