import { hashOfDerived } from '../spec/identity.ts';
import type { Spec } from '../spec/spec.ts';
import type { GraphCache } from './engine.ts';

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
