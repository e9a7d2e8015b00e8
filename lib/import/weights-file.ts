import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { invalid, isOfKind } from '../errors.ts';
import { readProblem } from '../file-problems.ts';
import { decodeInitialWeights } from '../model/initial-weights.ts';
import type { Weights } from './weights.ts';

const readers: Readonly<Record<string, (path: string) => Promise<Weights>>> = {
  '.safetensors': readSafetensors,
  '.json': async (path) => (await import('./tfjs-file.ts')).readTfjsFile(path),
  '.h5': async (path) => (await import('./keras-file.ts')).readKerasFile(path),
  '.hdf5': async (path) => (await import('./keras-file.ts')).readKerasFile(path),
};

/**
 * Reads the weights of a network: `.safetensors`, the `model.json` of tfjs beside its weights, or the
 * `.h5` of Keras.
 *
 * @throws MillraceError kind `invalid` that says what the file should be
 */
export async function readWeightsFile(path: string): Promise<Weights> {
  const extension = extname(path).toLowerCase();
  const read = Object.hasOwn(readers, extension) ? readers[extension] : undefined;
  if (read === undefined) {
    const keras = extension === '.keras' ? `; in Keras: model.save("model.h5")` : '';
    throw invalid(`${path}: must be .safetensors, a tfjs model.json, or .h5 of Keras${keras}`);
  }
  try {
    return await read(path);
  } catch (cause) {
    if (isOfKind(cause, 'invalid')) throw cause;
    throw invalid(`${path} cannot be read: ${readProblem(cause)}`, cause);
  }
}

async function readSafetensors(path: string): Promise<Weights> {
  const { tensors, ...rest } = decodeInitialWeights(await readFile(path));
  return { weights: tensors, ...rest };
}
