import type { Spec } from '../spec/spec.ts';
import { maskSourceOf } from './dropout.ts';
import { fromLayers } from './layers.ts';
import { assertParameters, type Network } from './network.ts';
import { fromTopology } from './topology.ts';

/**
 * Builds the network of a spec with weights from its seed: the same spec gives the same weights.
 *
 * @throws MillraceError kind `invalid` if a topology does not fit the features, label or limits
 */
export async function buildNetwork(spec: Spec): Promise<Network> {
  const { network: declared } = spec;
  const network =
    'topology' in declared
      ? await fromTopology(spec, declared.topology)
      : fromLayers(spec, declared);
  assertParameters(spec, network.layersModel.countParams());
  return { ...network, masks: maskSourceOf(network.layersModel) };
}
