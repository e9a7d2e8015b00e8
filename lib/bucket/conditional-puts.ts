import { isOfKind } from '../errors.ts';
import type { BucketPorts, PutCondition, PutOutcome } from './object-store.ts';

/**
 * A conditional put, tried again after a pause while its outcome is unknown (409, timeouts, 5xx). A
 * timeout counts as neither success nor failure.
 *
 * @returns undefined if the outcome stays unknown
 */
export async function putUntilAnswered(
  { store, limits, pause }: BucketPorts,
  key: string,
  body: Uint8Array,
  condition: PutCondition,
): Promise<PutOutcome | undefined> {
  for (let attempt = 1; attempt <= limits.putAttempts; attempt++) {
    if (attempt > 1) await pause(attempt - 1);
    try {
      const outcome = await store.put(key, body, condition);
      if (outcome.ok || outcome.code === 'precondition') return outcome;
    } catch (error) {
      if (!isOfKind(error, 'unavailable')) throw error;
    }
  }
  return undefined;
}

/** A body, or what it is over the object that it replaces. */
export type BodyOver = Uint8Array | ((current: Uint8Array | undefined) => Uint8Array);

/** What a put may replace. */
export type Replacement = {
  /** The ETag of the object that the caller has read; undefined if it has read none. */
  readonly etag: string | undefined;
  /** Whether the stored object must stay: it is newer than the caller's body, or equal to it. */
  readonly stays: (current: Uint8Array) => boolean | Promise<boolean>;
};

/**
 * Puts an object over an older one, and never over a newer one. A writer that was overtaken, or
 * whose put arrives late, changes nothing.
 *
 * @returns the ETag of the stored object afterwards; undefined if that is unknown
 */
export async function putOverOlder(
  ports: BucketPorts,
  key: string,
  body: BodyOver,
  { etag, stays }: Replacement,
): Promise<string | undefined> {
  let known = etag;
  let over: Uint8Array | undefined;
  for (let attempt = 0; attempt < ports.limits.putAttempts; attempt++) {
    const condition = known === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: known };
    const own = body instanceof Uint8Array ? body : body(over);
    const outcome = await putUntilAnswered(ports, key, own, condition);
    if (outcome?.ok) return outcome.etag;
    const current = await ports.store.get(key);
    if (current !== undefined && (await stays(current.body))) return current.etag;
    [known, over] = [current?.etag, current?.body];
  }
  return undefined;
}
