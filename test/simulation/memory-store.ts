import { createHash } from 'node:crypto';
import type { ObjectStore, StoredObject } from '../../lib/ports/ports.ts';

/** One call of a store, before or after it took effect. A hook that throws there is a crash or a lost answer. */
export type StoreCall = {
  readonly operation: 'get' | 'put' | 'list';
  readonly key: string;
  readonly when: 'before' | 'after';
};

/** A store in memory that answers as S3 does, conditions included, and asks a hook around each call. */
export type MemoryStore = ObjectStore & {
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** Called around each operation from now on. */
  hook: (call: StoreCall) => void | Promise<void>;
};

/** A bucket with some texts in it. */
export function memoryStore(texts: Readonly<Record<string, string>> = {}): MemoryStore {
  const objects = new Map<string, StoredObject>(
    Object.entries(texts).map(([key, text]) => [
      key,
      { body: Buffer.from(text), etag: etagOf(Buffer.from(text)) },
    ]),
  );
  const store: MemoryStore = {
    bucket: 'memory',
    objects,
    hook: () => undefined,
    async get(key) {
      await store.hook({ operation: 'get', key, when: 'before' });
      const object = objects.get(key);
      await store.hook({ operation: 'get', key, when: 'after' });
      return object === undefined ? undefined : { ...object, body: Uint8Array.from(object.body) };
    },
    async put(key, body, condition) {
      await store.hook({ operation: 'put', key, when: 'before' });
      const current = objects.get(key);
      const isRefused =
        condition !== undefined &&
        ('ifMatch' in condition ? current?.etag !== condition.ifMatch : current !== undefined);
      const etag = etagOf(body);
      if (!isRefused) objects.set(key, { body: Uint8Array.from(body), etag });
      await store.hook({ operation: 'put', key, when: 'after' });
      return isRefused ? { ok: false, reason: 'precondition' } : { ok: true, etag };
    },
    async list(prefix) {
      await store.hook({ operation: 'list', key: prefix, when: 'before' });
      return [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, { etag, body }]) => ({ key, etag, sizeBytes: body.length }))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    },
  };
  return store;
}

function etagOf(body: Uint8Array): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}
