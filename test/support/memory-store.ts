import type {
  ObjectPart,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from '../../lib/bucket/object-store.ts';
import { refuse } from '../../lib/refusal.ts';
import { type Bucket, createBucket } from './bucket.ts';

/**
 * One call of a store, before or after it took effect. A hook that throws there is a crash or a
 * lost answer.
 */
export type StoreCall = {
  readonly operation: 'get' | 'put' | 'list';
  readonly key: string;
  readonly when: 'before' | 'after';
};

/**
 * A store in memory that answers as S3 does, conditions included, and asks a hook around each call.
 */
export type MemoryStore = ObjectStore & {
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** Called around each operation from now on. */
  hook: (call: StoreCall) => void | Promise<void>;
  /** Somebody deletes an object, which the code under test may not. */
  readonly remove: (key: string) => void;
};

/** A bucket with some texts in it. */
export function memoryStore(texts: Readonly<Record<string, string>> = {}): MemoryStore {
  const bucket = createBucket();
  for (const [key, text] of Object.entries(texts)) bucket.put(key, Buffer.from(text));
  const around = async <Answer>(
    operation: StoreCall['operation'],
    key: string,
    perform: () => Answer,
  ) => {
    await store.hook({ operation, key, when: 'before' });
    const answer = perform();
    await store.hook({ operation, key, when: 'after' });
    return answer;
  };
  const store: MemoryStore = {
    bucket: 'memory',
    objects: bucket.objects,
    hook: () => undefined,
    remove: bucket.remove,
    get: (key, part) => around('get', key, () => getFrom(bucket, key, part)),
    getChanged: (key, etag) => around('get', key, () => getChangedFrom(bucket, key, etag)),
    put: (key, body, condition) => around('put', key, () => putInto(bucket, key, body, condition)),
    list: (prefix) => around('list', prefix, () => listOf(bucket, prefix)),
    folders: (prefix) => around('list', prefix, () => foldersOf(bucket, prefix)),
  };
  return store;
}

/** A bucket behind the port, with nothing in between. */
export function storeOver(bucket: Bucket): ObjectStore {
  return {
    bucket: 'memory',
    get: async (key, part) => getFrom(bucket, key, part),
    getChanged: async (key, etag) => getChangedFrom(bucket, key, etag),
    put: async (key, body, condition) => putInto(bucket, key, body, condition),
    list: async (prefix) => listOf(bucket, prefix),
    folders: async (prefix) => foldersOf(bucket, prefix),
  };
}

/** A get as the port answers it. */
export function getFrom(bucket: Bucket, key: string, part?: ObjectPart): StoredObject | undefined {
  const answer = bucket.get(key, part && [part.start, part.end - 1]);
  if ('error' in answer) return undefined;
  return part === undefined || part.etag === answer.etag ? answer : undefined;
}

/** A conditional get as the port answers it. */
export function getChangedFrom(bucket: Bucket, key: string, etag: string) {
  const object = getFrom(bucket, key);
  return object?.etag === etag ? ('unchanged' as const) : object;
}

/** A put as the port answers it. */
export function putInto(
  bucket: Bucket,
  key: string,
  body: Uint8Array,
  condition?: PutCondition,
): PutOutcome {
  const answer = bucket.put(key, body, condition);
  return 'error' in answer ? refuse('precondition', answer.error) : { ok: true, etag: answer.etag };
}

/** A listing as the port answers it. */
export function listOf(bucket: Bucket, prefix: string) {
  return bucket
    .list(prefix)
    .map(([key, { etag, body }]) => ({ key, etag, sizeBytes: body.length }));
}

/** A listing of folders as the port answers it. */
export function foldersOf(bucket: Bucket, prefix: string): readonly string[] {
  const names = bucket.list(prefix).flatMap(([key]) => {
    const [folder = '', ...rest] = key.slice(prefix.length).split('/');
    return rest.length > 0 ? [folder] : [];
  });
  return [...new Set(names)];
}
