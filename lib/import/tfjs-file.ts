import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as z from 'zod';
import { invalid } from '../errors.ts';
import { readProblem } from '../file-problems.ts';
import { listNames, parse } from '../parse.ts';
import { whyOtherInTfjs } from '../spec/other-in-tfjs.ts';
import type { Weights } from './weights.ts';

const modelSchema = z.looseObject({
  modelTopology: z.record(z.string(), z.unknown()),
  weightsManifest: z.array(
    z.looseObject({ paths: z.array(z.string()), weights: z.array(z.looseObject({})) }),
  ),
});

/** Reads a tfjs Layers model: a `model.json`, and the files of weights that it names beside it. */
export async function readTfjsFile(path: string): Promise<Weights> {
  tf.enableProdMode();
  const json: unknown = JSON.parse(await readFile(path, 'utf8'));
  const { modelTopology, weightsManifest } = parse(modelSchema, json, path);
  const { keras_version: version = '' } = modelTopology;
  // (What a converter made of a file of Keras has the version of that.)
  const why = String(version).startsWith('tfjs') ? undefined : whyOtherInTfjs(modelTopology);
  if (why !== undefined) throw invalid(`${path}: ${why}`);
  const folder = dirname(path);
  const paths = weightsManifest.flatMap((group) => group.paths);
  const bodies = await Promise.all(
    paths.map((each) =>
      readFile(join(folder, each)).catch((cause: unknown) => {
        const file = join(folder, each);
        throw invalid(
          `${path} names ${file}, which cannot be read: ${readProblem(cause)}; put its files of ` +
            'weights beside it',
          cause,
        );
      }),
    ),
  );
  const specs = weightsManifest.flatMap(
    (group) => group.weights as unknown as tf.io.WeightsManifestEntry[],
  );
  const found = bodies.reduce((sum, body) => sum + body.length, 0);
  const wanted = sizeOf(specs);
  if (wanted !== undefined && found !== wanted)
    throw invalid(
      `${path}: its weights have ${wanted} bytes, and ${listNames(paths)} ${found}; a file that was ` +
        'cut off is to be copied again',
    );
  const joined = Uint8Array.from(Buffer.concat(bodies)).buffer;
  const decoded = tf.io.decodeWeights(joined, specs);
  const weights = Object.entries(decoded).map(([name, tensor]) => {
    const data = Float32Array.from(tensor.dataSync());
    tensor.dispose();
    return [`weights/${name}`, { shape: tensor.shape, data }] as const;
  });
  return { topology: modelTopology, weights: Object.fromEntries(weights) };
}

const bytesOf: ReadonlyMap<string, number> = new Map([
  ['float32', 4],
  ['int32', 4],
  ['float16', 2],
  ['uint16', 2],
  ['uint8', 1],
  ['bool', 1],
]);

/** Bytes of weights; undefined where some are of a kind whose size its shape does not tell. */
function sizeOf(specs: readonly tf.io.WeightsManifestEntry[]): number | undefined {
  let sum = 0;
  for (const { dtype, shape, quantization } of specs) {
    const own = bytesOf.get(String(quantization?.dtype ?? dtype));
    if (own === undefined) return undefined;
    sum += own * tf.util.sizeFromShape(shape);
  }
  return sum;
}
