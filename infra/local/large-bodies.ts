import { availableParallelism } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import type { buildApp } from 'fauxqs';
import { loadPart } from './fauxqs-parts.ts';

type Fastify = Awaited<ReturnType<typeof buildApp>>;

/** What the emulator has of an object. */
type StoredObject = { readonly body: Uint8Array; readonly contentLength: number };

/** An object of which only pieces are there. */
type Pieces<Stored> = Omit<Stored, 'body'> & {
  readonly body: Pick<Uint8Array, 'length'> & { subarray: (start: number, end: number) => Buffer };
};

type Store<Stored extends StoredObject> = {
  readonly getObject: (bucket: string, key: string) => Stored;
  readonly headObject: (bucket: string, key: string) => Stored;
};

const largeBytes = 64 * 1_048_576;

/** A piece of a large object that is read by itself: the head of a file, or its foot. */
const smallPieceBytes = 1_048_576;

/** Whoever reads more of them reads on: SQLite goes through all that is before a piece. */
const fewPieces = 3;

/**
 * A large object is read by pieces, and fauxqs 2.4.1 loads all of it for each. The last ones, one
 * for each function that may read at once, stay in memory instead, each for as long as it is the
 * same object; of others, the first small pieces are read alone.
 */
export function holdLargeBody<Stored extends StoredObject>(
  app: Fastify,
  store: Store<Stored>,
  database: DatabaseSync,
): void {
  const load = store.getObject.bind(store);
  const last = new Map<Stored, Uint8Array>();
  const smallPieces = new WeakMap<Stored, number>();
  let isSmallPiece = false;
  // The handler follows at once.
  app.addHook('preHandler', (request, _reply, done) => {
    isSmallPiece = bytesAskedFor(request.headers.range) <= smallPieceBytes;
    done();
  });
  const piece = database.prepare(
    'SELECT substr(body, ?, ?) AS piece FROM s3_objects WHERE bucket = ? AND key = ?',
  );
  const getObject = (bucket: string, key: string): Stored | Pieces<Stored> => {
    const head = store.headObject(bucket, key);
    const held = last.get(head);
    const pieces = smallPieces.get(head) ?? 0;
    const isAlone = isSmallPiece && pieces < fewPieces && head.contentLength > largeBytes;
    if (held === undefined && isAlone) {
      smallPieces.set(head, pieces + 1);
      const subarray = (start: number, end: number) => {
        const row = piece.get(start + 1, end - start, bucket, key);
        return Buffer.from(row?.piece as Uint8Array);
      };
      return { ...head, body: { length: head.contentLength, subarray } };
    }
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
  Object.assign(store, { getObject });
}

/** How many bytes a `Range` asks for; without end unless it names both ends. */
function bytesAskedFor(range: string | undefined): number {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  return end === undefined ? Number.POSITIVE_INFINITY : Number(end) - Number(start) + 1;
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
