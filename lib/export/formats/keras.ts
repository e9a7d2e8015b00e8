import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import type { Group } from 'h5wasm/node';
import { UntraceableError } from '../../engine/trace/untraceable.ts';
import { whyOtherInTfjs, whyUnreadable } from '../../spec/other-in-tfjs.ts';
import type { Exported } from '../exported.ts';
import { servedLayers } from '../served-layers.ts';
import type { Files } from './format.ts';

/**
 * What `keras.models.load_model()` reads: the HDF5 file of Keras 2, which Keras 3 reads too. Its
 * description is the attribute `model_config`; each layer with weights is a group below
 * `model_weights`. Source: the legacy HDF5 format of keras-team/keras,
 * `src/legacy/saving/legacy_h5_format.py`.
 */
export async function kerasFiles(exported: Exported): Promise<Files> {
  const h5 = await import('h5wasm/node');
  await h5.ready;
  const served = await servedLayers(exported);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-keras-'));
  try {
    const path = join(folder, 'model.h5');
    const topology = served.toJSON(null, false) as Readonly<Record<string, unknown>>;
    const why = whyOtherInTfjs(topology) ?? whyUnreadable(topology);
    if (why !== undefined) throw new UntraceableError(why);
    const file = new h5.File(path, 'w');
    file.create_attribute('model_config', JSON.stringify(topology, ofKeras));
    file.create_attribute('keras_version', '2.15.0');
    file.create_attribute('backend', 'tensorflow');
    const weights = file.create_group('model_weights');
    weights.create_attribute('keras_version', '2.15.0');
    weights.create_attribute('backend', 'tensorflow');
    weights.create_attribute(
      'layer_names',
      served.layers.map(({ name }) => name),
    );
    for (const layer of served.layers) {
      const group = weights.create_group(layer.name);
      const own = inKerasOrder(layer);
      if (own.length > 0)
        group.create_attribute(
          'weight_names',
          own.map(({ name }) => name),
        );
      for (const { name, shape, data } of own) {
        const [dataset = '', ...folders] = name.split('/').reverse();
        groupAt(group, folders.reverse()).create_dataset({ name: dataset, data, shape });
      }
    }
    file.close();
    return { 'model.h5': await readFile(path) };
  } finally {
    served.dispose();
    await rm(folder, { recursive: true });
  }
}

/** Layers of tfjs that Keras 3 does not read from such a file. */
const unread = new Set([
  ...['Bidirectional', 'TimeDistributed', 'Model', 'Functional', 'Sequential', 'RNN'],
  ...['StackedRNNCells', 'ConvLSTM2D', 'SpatialDropout1D'],
]);

/** The description as Keras takes it. @throws UntraceableError if it would be another network */
function ofKeras(this: unknown, key: string, value: unknown): unknown {
  if (/activation$/.test(key) && value === 'hard_sigmoid')
    throw new UntraceableError('hard_sigmoid is another function in Keras 3');
  if (key === 'noise_shape') return undefined;
  // The whole is the one model that has no name beside its class.
  const isPart = typeof this === 'object' && this !== null && 'name' in this;
  if (key === 'class_name' && isPart && unread.has(String(value)))
    throw new UntraceableError(`Keras does not read a ${value} within a model from HDF5`);
  return key === 'class_name' && value === 'Model' ? 'Functional' : value;
}

/** A group within another, made if it is not there. */
function groupAt(group: Group, [name, ...rest]: readonly string[]): Group {
  if (name === undefined) return group;
  const found = group.keys().includes(name) ? group.get(name) : group.create_group(name);
  return groupAt(found as Group, rest);
}

/** A layer's weights, trainable ones first, as `<layer>/<weight>:0`. */
function inKerasOrder(layer: tf.layers.Layer) {
  const weights = [...layer.trainableWeights, ...layer.nonTrainableWeights];
  return weights.map((weight) => {
    const value = weight.read();
    const data = Float32Array.from(value.dataSync());
    return { name: `${weight.originalName}:0`, shape: value.shape, data };
  });
}
