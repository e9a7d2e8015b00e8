import type { ObjectStore } from '../bucket/object-store.ts';
import type { Spec } from '../spec/spec.ts';
import { bytesOfObject, type PinnedObject } from './byte-source.ts';
import type { Stretch } from './formats/format.ts';
import { columnsToRead } from './held-out.ts';
import { readSamples } from './read-samples.ts';
import type { SampleChunk } from './tally.ts';
import type { SourcePlace } from './unfinished.ts';

/** Where the rows of a dataset come from. */
export type SampleSource = {
  /** What the rows depend on: object keys and ETags, or a journal's range. */
  readonly identity: unknown;
  /** The objects that they are in; absent for a journal. */
  readonly objects?: readonly PinnedObject[];
  /**
   * Of a source that grows, what its rows depend on wherever it ends: what was prepared of it is
   * the beginning of what will be.
   */
  readonly growing?: () => Promise<unknown>;
  /** Files or entries in all. */
  readonly end?: number;
  /** Raw samples, in order, in chunks. @param from the place to read on from */
  readonly samples: (from: SourcePlace | undefined) => AsyncIterable<SampleChunk>;
};

/**
 * The samples of objects, in order, in chunks.
 *
 * @param from the place to read on from
 * @param to where a part ends in its only object; with it unless given
 */
export async function* samplesOfObjects(
  store: ObjectStore,
  spec: Spec,
  objects: readonly PinnedObject[],
  { from, to }: { readonly from?: SourcePlace | undefined; readonly to?: Stretch['to'] } = {},
): AsyncGenerator<SampleChunk> {
  const columns = columnsToRead(spec);
  const { done, inside } = from ?? { done: 0 };
  for (const [place, object] of objects.entries()) {
    if (place < done) continue;
    const file = {
      name: object.key,
      columns,
      bytes: bytesOfObject(store, object),
      from: place === done ? inside : undefined,
      to,
    };
    for await (const chunk of readSamples(spec, file)) {
      const { next } = chunk;
      yield { ...chunk, ...(next && { end: { done: place, inside: next } }) };
    }
  }
}
