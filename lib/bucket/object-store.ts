import type { ProtocolLimits } from '../limits.ts';
import type { Refused } from '../refusal.ts';

/** An object as it was read, with the ETag that a conditional put needs. */
export type StoredObject = { readonly body: Uint8Array; readonly etag: string };

/** What must be true of the stored object for a put to happen. */
export type PutCondition = { readonly ifNoneMatch: '*' } | { readonly ifMatch: string };

/**
 * A put either happened or was refused. `precondition`: the stored object is not the one that the
 * caller expects (412, or 404 where If-Match met no object). `conflict`: a different conditional
 * request was under way (409), and the same put may be tried again.
 */
export type PutOutcome =
  | { readonly ok: true; readonly etag: string }
  | Refused<'precondition' | 'conflict'>;

/** The bytes of an object from `start` up to `end`, of which there is at least one. */
export type ObjectPart = { readonly start: number; readonly end: number; readonly etag: string };

/** An object as a listing shows it. */
export type ListedObject = {
  readonly key: string;
  readonly etag: string;
  readonly sizeBytes: number;
};

/**
 * The bucket: strong reads, and conditional writes.
 *
 * @throws MillraceError kind `unavailable` if the service did not answer; a put may then have
 *   happened or not
 */
export type ObjectStore = {
  readonly bucket: string;
  /** The object, or undefined if there is none; a part of it only if it has the part's ETag. */
  readonly get: (key: string, part?: ObjectPart) => Promise<StoredObject | undefined>;
  /** The object if it has another ETag by now; undefined if there is none. */
  readonly getChanged: (
    key: string,
    etag: string,
  ) => Promise<StoredObject | 'unchanged' | undefined>;
  readonly put: (key: string, body: Uint8Array, condition?: PutCondition) => Promise<PutOutcome>;
  /** All objects whose keys begin with `prefix`, in the order of their keys. */
  readonly list: (prefix: string) => Promise<readonly ListedObject[]>;
  /** The names of the folders right below `prefix`, which ends with a slash, in order. */
  readonly folders: (prefix: string) => Promise<readonly string[]>;
};

/** The bucket, with the bounds of the protocol over it. */
export type BucketPorts = {
  readonly store: ObjectStore;
  /** The bounds of the protocol; a test has smaller ones, so that few messages meet them. */
  readonly limits: ProtocolLimits;
  /** Waits before something is tried again: longer after each attempt, and never all alike. */
  readonly pause: (attempt: number) => Promise<void>;
};
