import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
import { digestOf } from '../bucket/safetensors.ts';
import type { GraphCache } from '../engine/engine.ts';
import { MillraceError } from '../errors.ts';
import type { Log } from './ports.ts';

/**
 * Compiled graphs below `compiled/`. It is only a cache: if it cannot be read or written, models
 * are compiled again.
 */
export function graphCache(store: ObjectStore, log: Log): GraphCache {
  const orElse = async <Value>(attempt: () => Promise<Value>, otherwise: Value): Promise<Value> => {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      log.warn('the cache of compiled models does not work', { reason: error.message });
      return otherwise;
    }
  };
  return {
    get: (name) =>
      orElse(async () => {
        const object = await store.get(keys.compiled(name));
        const body = object?.body.subarray(digestBytes);
        if (object === undefined || body === undefined) return undefined;
        if (sha256(body).equals(object.body.subarray(0, digestBytes))) return body;
        log.warn('a compiled model is damaged, and compiled again', { key: keys.compiled(name) });
        return undefined;
      }, undefined),
    put: (name, body) =>
      orElse(async () => {
        await store.put(keys.compiled(name), Buffer.concat([sha256(body), body]));
      }, undefined),
  };
}

/** Each object begins with the SHA-256 of the rest. */
const digestBytes = 32;

const sha256 = (body: Uint8Array) => Buffer.from(digestOf(body), 'hex');
