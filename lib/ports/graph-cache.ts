import { keys } from '../bucket/keys.ts';
import type { ObjectStore } from '../bucket/object-store.ts';
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
    get: (name) => orElse(async () => (await store.get(keys.compiled(name)))?.body, undefined),
    put: (name, body) =>
      orElse(async () => void (await store.put(keys.compiled(name), body)), undefined),
  };
}
