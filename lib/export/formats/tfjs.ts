import * as tf from '@tensorflow/tfjs';
import { UntraceableError } from '../../engine/trace/untraceable.ts';
import { whyUnreadable } from '../../spec/other-in-tfjs.ts';
import type { Exported } from '../exported.ts';
import { servedLayers } from '../served-layers.ts';
import type { Files } from './format.ts';

/** What `tf.loadLayersModel()` reads: `model.json`, and the weights as float32 in `weights.bin`. */
export async function tfjsFiles(exported: Exported): Promise<Files> {
  const served = await servedLayers(exported);
  try {
    const why = whyUnreadable(served.toJSON(null, false) as Readonly<Record<string, unknown>>);
    if (why !== undefined) throw new UntraceableError(why);
    let artifacts: tf.io.ModelArtifacts | undefined;
    await served.save(
      tf.io.withSaveHandler((given) => {
        artifacts = given;
        return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) });
      }),
    );
    if (artifacts === undefined) throw new Error('tfjs saved nothing');
    const { weightData = new ArrayBuffer(0), weightSpecs = [], ...description } = artifacts;
    const { modelTopology, format, generatedBy, convertedBy } = description;
    const json = {
      modelTopology,
      format,
      generatedBy,
      convertedBy,
      weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
    };
    return {
      'model.json': Buffer.from(JSON.stringify(json)),
      'weights.bin': new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)),
    };
  } finally {
    served.dispose();
  }
}
