import { open } from 'node:fs/promises';
import type { Dataset, Group } from 'h5wasm/node';
import type { Tensor } from '../engine/engine.ts';
import { invalid } from '../errors.ts';
import type { Weights } from './weights.ts';

/**
 * Reads a Keras model in HDF5, as Keras 2 writes it, and Keras 3 to a file that ends in `.h5`.
 * Source: the legacy HDF5 format of keras-team/keras, `src/legacy/saving/legacy_h5_format.py`.
 */
export async function readKerasFile(path: string): Promise<Weights> {
  await assertHdf5(path);
  const h5 = await import('h5wasm/node');
  await h5.ready;
  const file = new h5.File(path, 'r');
  try {
    const config = file.attrs.model_config?.value;
    const root = file.get('model_weights') ?? file;
    const weights = new Map(
      textsOf(root as Group, 'layer_names').map((layer) => {
        const group = (root as Group).get(layer) as Group;
        return [layer, textsOf(group, 'weight_names').map((name) => tensorAt(group, name))];
      }),
    );
    if (weights.size === 0) throw invalid(`${path}: has no layers; save a whole model to it`);
    return { weights, ...(typeof config === 'string' && { topology: JSON.parse(config) }) };
  } finally {
    file.close();
  }
}

/** The HDF5 library prints pages about a file that is none. */
async function assertHdf5(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(signature.length), 0, signature.length, 0);
    if (!buffer.equals(signature)) throw invalid(`${path}: is no HDF5 file, as Keras writes .h5`);
  } finally {
    await file.close();
  }
}

const signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** An attribute of texts; a long one is cut into `<name>0`, `<name>1`, … */
function textsOf({ attrs }: Group, name: string): readonly string[] {
  const whole = attrs[name]?.value;
  // Of a layer without weights, Keras 3 writes an empty list of numbers.
  if (ArrayBuffer.isView(whole)) return [];
  if (whole !== undefined) return (Array.isArray(whole) ? whole : [whole]).map(String);
  const parts: string[] = [];
  for (let i = 0; attrs[`${name}${i}`] !== undefined; i++)
    parts.push(...[attrs[`${name}${i}`]?.value].flat().map(String));
  return parts;
}

function tensorAt(group: Group, name: string): Tensor {
  const dataset = group.get(name) as Dataset | null;
  const { value, shape } = dataset ?? {};
  if (typeof value === 'number' || typeof value === 'bigint')
    return { shape: [], data: Float32Array.of(Number(value)) };
  if (!ArrayBuffer.isView(value) || shape === undefined || shape === null)
    throw invalid(`${name}: must be an array of numbers`);
  return { shape, data: Float32Array.from(value as Float32Array) };
}
