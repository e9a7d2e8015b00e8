import * as z from 'zod';
import type { ObjectStore } from '../bucket/object-store.ts';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import { oneAhead } from './one-ahead.ts';

/** The bytes of a file, of which only those that are asked for are read. */
export type ByteSource = {
  readonly sizeBytes: number;
  /** The file that belongs to it, where rows are in two. */
  readonly beside?: ByteSource | undefined;
  /** The bytes from `start` up to `end`. */
  readonly read: (start: number, end: number) => Promise<Uint8Array>;
};

/** A file that is in memory. */
export function bytesInMemory(body: Uint8Array): ByteSource {
  return { sizeBytes: body.length, read: async (start, end) => body.subarray(start, end) };
}

const singleObject = z.strictObject({ key: z.string(), etag: z.string(), sizeBytes: z.int() });

/** An object of the bucket, as it was when somebody looked at it. */
export const pinnedObject = singleObject.extend({
  /** The object that belongs to it, where rows are in two. */
  beside: singleObject.optional(),
});

/** A {@link pinnedObject}. */
export type PinnedObject = Readonly<z.output<typeof pinnedObject>>;

/**
 * An object of the bucket. Its `read` throws kind `invalid` once the object is no longer the one
 * that was pinned.
 */
export function bytesOfObject(
  store: ObjectStore,
  { key, etag, sizeBytes, beside }: PinnedObject,
): ByteSource {
  return {
    sizeBytes,
    ...(beside && { beside: bytesOfObject(store, beside) }),
    async read(start, end) {
      const part = await store.get(key, { start, end, etag });
      if (part !== undefined) return part.body;
      const isThere = (await store.list(key)).some((each) => each.key === key);
      throw invalid(
        `${key} was ${isThere ? 'changed' : 'deleted'} after the job began; start a new job`,
      );
    },
  };
}

/**
 * All bytes from one on, in order; the next piece is on its way while one is worked on.
 *
 * @param pieceBytes fewer where somebody will read no further than that, most of the time
 */
export function piecesOf(
  { sizeBytes, read }: ByteSource,
  first = 0,
  pieceBytes: number = limits.pieceBytes,
): AsyncGenerator<Uint8Array> {
  return oneAhead((place) => {
    const start = first + place * pieceBytes;
    return start < sizeBytes ? read(start, Math.min(start + pieceBytes, sizeBytes)) : undefined;
  });
}
