import { availableParallelism } from 'node:os';
import { loadPart } from './fauxqs-parts.ts';

/** What the emulator has of an object. */
type StoredObject = { readonly body: Uint8Array };

type Store<Stored extends StoredObject> = {
  getObject: (bucket: string, key: string) => Stored;
  readonly headObject: (bucket: string, key: string) => Stored;
};

const largeBytes = 64 * 1_048_576;

/**
 * A large object is read by pieces, and fauxqs 2.4.1 loads all of it for each. The last ones, one
 * for each function that may read at once, stay in memory instead, each for as long as it is the
 * same object.
 */
export function holdLargeBody<Stored extends StoredObject>(store: Store<Stored>): void {
  const load = store.getObject.bind(store);
  const last = new Map<Stored, Uint8Array>();
  store.getObject = (bucket, key) => {
    const head = store.headObject(bucket, key);
    const held = last.get(head);
    // Behind all others: the first is the one that was not read for the longest time.
    last.delete(head);
    if (held !== undefined) {
      last.set(head, held);
      return { ...head, body: held };
    }
    const loaded = load(bucket, key);
    if (loaded.body.length <= largeBytes) return loaded;
    last.set(head, loaded.body);
    const [oldest] = last.keys();
    if (last.size > availableParallelism() + 1 && oldest !== undefined) last.delete(oldest);
    return loaded;
  };
}

/** SQLite keeps no more in one value, and a row has some fields beside it. */
const mostBytes = 999_000_000;

type Parts = ReadonlyMap<string, { readonly parts: ReadonlyMap<number, StoredObject> }>;

/**
 * fauxqs 2.4.1 forgets the parts of an object that SQLite cannot keep, and then says that they were
 * never there. It is refused before, with what to do.
 */
export async function refuseTooLarge(store: {
  completeMultipartUpload: (id: string, parts: never) => unknown;
}): Promise<void> {
  const { S3Error } = (await loadPart('./common/errors.js')) as {
    S3Error: new (code: string, message: string, status: number) => Error;
  };
  const uploads: Parts = Reflect.get(store, 'multipartUploads');
  const complete = store.completeMultipartUpload.bind(store);
  store.completeMultipartUpload = (id, parts) => {
    const bodies = [...(uploads.get(id)?.parts.values() ?? [])];
    const sizeBytes = bodies.reduce((sum, { body }) => sum + body.length, 0);
    if (sizeBytes <= mostBytes) return complete(id, parts);
    const message =
      `the local cloud keeps at most ${mostBytes} bytes in one object (found ${sizeBytes}; S3 ` +
      'itself keeps 50 TB); cut the file into several';
    throw new S3Error('EntityTooLarge', message, 400);
  };
}
