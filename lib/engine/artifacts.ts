import * as z from 'zod';
import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import { MillraceError } from '../errors.ts';
import { hashOfDerived } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';
import type { GraphCache, Tensor, Tensors } from './engine.ts';

/**
 * The name of a compiled thing: a hash of all that it depends on.
 *
 * @param by what compiled it, its version among it
 */
export function artifactName(spec: Spec, part: string, by: object): string {
  return hashOfDerived(spec.features, { spec, part, ...by });
}

/** Takes a compiled object from the cache, or compiles it now and keeps it for the next process. */
export async function cached(
  cache: GraphCache | undefined,
  name: string,
  compile: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const known = await cache?.get(name);
  if (known !== undefined) return known;
  const compiled = await compile();
  await cache?.put(name, compiled);
  return compiled;
}

/** What an artifact says of how long its model works. */
export const workSchema = z.object({
  predicted: z.number().nonnegative(),
  learnt: z.number().nonnegative(),
  step: z.number().nonnegative(),
});

const initialPrefix = 'initial/';

/** The state before the first step as tensors of an artifact. */
export function initialTensors(initial: Tensors): Record<string, StoredTensor> {
  return Object.fromEntries(
    Object.entries(initial).map(([name, tensor]) => [initialPrefix + name, tensor]),
  );
}

/** Undoes {@link initialTensors}. */
export function initialFrom(tensors: SafetensorsFile['tensors']): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, { shape, data }]): [string, Tensor][] =>
      name.startsWith(initialPrefix) && data instanceof Float32Array
        ? [[name.slice(initialPrefix.length), { shape, data }]]
        : [],
    ),
  );
}

/** That a compiled model is damaged. */
export function unreadable(): MillraceError {
  const reason = 'a compiled model cannot be read; delete all below compiled/ and try again';
  return new MillraceError('corrupt', reason);
}
