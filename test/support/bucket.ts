import { hash } from 'node:crypto';
import type { StoredObject } from '../../lib/bucket/object-store.ts';

/** S3's names for what it refuses. */
export type S3Refusal = {
  readonly error:
    | 'PreconditionFailed'
    | 'NoSuchKey'
    | 'NoSuchUpload'
    | 'InvalidPart'
    | 'InvalidRange';
};
/** Conditions of a put, as S3's headers have them. */
export type Conditions = { readonly ifMatch?: string; readonly ifNoneMatch?: '*' };

/**
 * A bucket in memory that answers as S3 does. `test/ports/s3-contract.ts` holds both against each
 * other.
 */
export type Bucket = {
  readonly objects: ReadonlyMap<string, StoredObject>;
  readonly get: (
    key: string,
    range?: readonly [first: number, last: number],
  ) => StoredObject | S3Refusal;
  readonly put: (
    key: string,
    body: Uint8Array,
    conditions?: Conditions,
  ) => { readonly etag: string } | S3Refusal;
  /** No error if there is none. */
  readonly remove: (key: string) => void;
  /** Keys with a prefix in their order, those after `after`, at most `most`. */
  readonly list: (
    prefix: string,
    after?: string,
    most?: number,
  ) => readonly [string, StoredObject][];
  readonly createUpload: (key: string) => string;
  readonly uploadPart: (
    upload: string,
    part: number,
    body: Uint8Array,
  ) => { readonly etag: string } | S3Refusal;
  readonly completeUpload: (
    upload: string,
    parts: readonly { readonly part: number; readonly etag: string }[],
    conditions?: Conditions,
  ) => { readonly etag: string } | S3Refusal;
  readonly abortUpload: (upload: string) => undefined | S3Refusal;
};

type UploadUnderWay = { readonly key: string; readonly parts: Map<number, StoredObject> };

/** An empty bucket. */
export function createBucket(): Bucket {
  const objects = new Map<string, StoredObject>();
  const uploads = new Map<string, UploadUnderWay>();
  let uploadCount = 0;

  const refusal = (key: string, { ifMatch, ifNoneMatch }: Conditions): S3Refusal | undefined => {
    const current = objects.get(key);
    if (ifNoneMatch !== undefined && current !== undefined) return { error: 'PreconditionFailed' };
    if (ifMatch === undefined || ifMatch === current?.etag) return undefined;
    return { error: current === undefined ? 'NoSuchKey' : 'PreconditionFailed' };
  };
  const put = (key: string, body: Uint8Array, etag: string, conditions: Conditions) => {
    const refused = refusal(key, conditions);
    if (refused !== undefined) return refused;
    objects.set(key, { body: copyOf(body), etag });
    return { etag };
  };

  return {
    objects,
    get(key, range) {
      const object = objects.get(key);
      if (object === undefined) return { error: 'NoSuchKey' };
      if (range === undefined) return { etag: object.etag, body: copyOf(object.body) };
      const [first, last] = range;
      if (first >= object.body.length) return { error: 'InvalidRange' };
      return { etag: object.etag, body: copyOf(object.body.subarray(first, last + 1)) };
    },
    put: (key, body, conditions = {}) => put(key, body, etagOf(body), conditions),
    remove: (key) => void objects.delete(key),
    list: (prefix, after = '', most = Number.POSITIVE_INFINITY) =>
      [...objects]
        .filter(([key]) => key.startsWith(prefix) && key > after)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, most),
    createUpload(key) {
      const upload = `upload-${uploadCount++}`;
      uploads.set(upload, { key, parts: new Map() });
      return upload;
    },
    uploadPart(upload, part, body) {
      const underWay = uploads.get(upload);
      if (underWay === undefined) return { error: 'NoSuchUpload' };
      const etag = etagOf(body);
      underWay.parts.set(part, { body: copyOf(body), etag });
      return { etag };
    },
    completeUpload(upload, parts, conditions = {}) {
      const underWay = uploads.get(upload);
      if (underWay === undefined) return { error: 'NoSuchUpload' };
      const bodies: Uint8Array[] = [];
      for (const { part, etag } of parts) {
        const found = underWay.parts.get(part);
        if (found?.etag !== etag) return { error: 'InvalidPart' };
        bodies.push(found.body);
      }
      const digests = bodies.map((body) => hash('md5', body, 'buffer'));
      const etag = `"${hash('md5', Buffer.concat(digests))}-${bodies.length}"`;
      const answer = put(underWay.key, Buffer.concat(bodies), etag, conditions);
      if (!('error' in answer)) uploads.delete(upload);
      return answer;
    },
    abortUpload: (upload) => (uploads.delete(upload) ? undefined : { error: 'NoSuchUpload' }),
  };
}

/** Bytes of their own; a Buffer's `slice` would share them. */
function copyOf(body: Uint8Array): Uint8Array {
  return new Uint8Array(body);
}

function etagOf(body: Uint8Array): string {
  return `"${hash('md5', body)}"`;
}
