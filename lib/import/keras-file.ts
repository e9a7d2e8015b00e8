import { open } from 'node:fs/promises';
import type { Dataset, Group } from 'h5wasm/node';
import type { Tensor } from '../engine/engine.ts';
import { invalid } from '../errors.ts';
import { isRecord, parseJson, show } from '../parse.ts';
import { whyOtherInTfjs } from '../spec/other-in-tfjs.ts';
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
    return { weights, ...(typeof config === 'string' && { topology: topologyOf(config, path) }) };
  } finally {
    file.close();
  }
}

/** The layers that a file describes. @throws MillraceError kind `invalid` if tfjs has not them */
function topologyOf(text: string, path: string): Record<string, unknown> {
  const config = parseJson(text, `${path}: model_config`, Buffer.byteLength(text), mostDepth);
  if (!isRecord(config))
    throw invalid(`${path}: its model_config must be an object (found ${show(config)})`);
  const why = whyOtherInTfjs(config);
  if (why !== undefined) throw invalid(`${path}: ${why}`);
  return config;
}

/** Models in models, in lists of layers with their settings, are not deeper. */
const mostDepth = 100;

/**
 * The HDF5 library prints pages about a file that is none, and about one that is cut short.
 *
 * @throws MillraceError kind `invalid`
 */
async function assertHdf5(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(superblockBytes), 0, superblockBytes, 0);
    if (!buffer.subarray(0, signature.length).equals(signature))
      throw invalid(`${path}: is no HDF5 file, as Keras writes .h5`);
    // (Version 0 and 1 have it behind two addresses and some sizes; later ones behind one.)
    const isOld = (buffer[signature.length] ?? 0) < 2;
    const end = buffer.readBigUInt64LE(isOld ? 40 : 28);
    if (end > BigInt(size))
      throw invalid(`${path}: is cut short: it has ${size} of ${end} bytes; copy it again`);
  } finally {
    await file.close();
  }
}

const signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
/** What a file begins with, as far as it says how long it is. */
const superblockBytes = 64;

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

/** Filters of HDF5 itself: deflate, shuffle, Fletcher's checksum, N-bit, scale-offset. */
const filters: ReadonlySet<number> = new Set([1, 2, 3, 5, 6]);

function tensorAt(group: Group, name: string): Tensor {
  const dataset = group.get(name) as Dataset | null;
  const unknown = dataset?.filters.find(({ id }) => !filters.has(id));
  if (unknown !== undefined)
    throw invalid(
      `${name}: is packed by ${unknown.name || `filter ${unknown.id}`}; save it unpacked`,
    );
  const { value, shape } = dataset ?? {};
  if (typeof value === 'number' || typeof value === 'bigint')
    return { shape: [], data: Float32Array.of(Number(value)) };
  if (!ArrayBuffer.isView(value) || shape === undefined || shape === null)
    throw invalid(`${name}: must be an array of numbers`);
  return { shape, data: Float32Array.from(value as Float32Array) };
}
