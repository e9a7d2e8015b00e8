import type { Engine } from '../engine/engine.ts';
import type { Limits } from '../limits.ts';

/** An object as it was read, with the ETag that a conditional put needs. */
export type StoredObject = { readonly body: Uint8Array; readonly etag: string };

/** What must be true of the stored object for a put to happen. */
export type PutCondition = { readonly ifNoneMatch: '*' } | { readonly ifMatch: string };

/**
 * A put either happened, or was refused: `precondition` (somebody else wrote; 412, or 404 where If-Match met
 * no object) or `conflict` (409: another conditional request was under way; the same put may be tried again).
 */
export type PutOutcome =
  | { readonly ok: true; readonly etag: string }
  | { readonly ok: false; readonly reason: 'precondition' | 'conflict' };

/** An object as a listing shows it. */
export type ListedObject = { readonly key: string; readonly etag: string; readonly sizeBytes: number };

/**
 * The bucket: strong reads, and conditional writes.
 *
 * @throws MillraceError kind `unavailable` if the service did not answer; a put may then have happened or not
 */
export type ObjectStore = {
  readonly bucket: string;
  /** The object, or undefined if there is none. */
  readonly get: (key: string) => Promise<StoredObject | undefined>;
  readonly put: (key: string, body: Uint8Array, condition?: PutCondition) => Promise<PutOutcome>;
  /** All objects whose keys begin with `prefix`, in the order of their keys. */
  readonly list: (prefix: string) => Promise<readonly ListedObject[]>;
};

/** Sends one message to a FIFO queue. A second one with the same deduplication id within five minutes is dropped. */
export type Sender = (message: {
  readonly body: string;
  readonly group: string;
  readonly deduplication: string;
}) => Promise<void>;

/** Everything that the training protocol sees of the world. */
export type Ports = {
  readonly store: ObjectStore;
  readonly sendSamples: Sender;
  readonly sendJob: Sender;
  /** Milliseconds since 1970. No safety rule reads it. */
  readonly now: () => number;
  /** A text that no other call ever returns, on any machine. */
  readonly nonce: () => string;
  readonly engine: Engine;
  readonly log: Log;
  /** The bounds of the protocol; a test has smaller ones, so that few messages meet them. */
  readonly limits: ProtocolLimits;
};

/** Bounds that the protocol meets only after thousands of messages, and the attempts that it makes. */
export type ProtocolLimits = Pick<
  Limits,
  | 'producers'
  | 'evictedProducers'
  | 'gapsPerProducer'
  | 'redrivenLetters'
  | 'deadLetterEntries'
  | 'keptCheckpointEntries'
  | 'putAttempts'
  | 'commitAttempts'
>;

/** The bucket, and how often a conditional put is tried. */
export type BucketPorts = Pick<Ports, 'store' | 'limits'>;

/** Structured logging; `fields` carry model, sequence number, counts, losses, durations in milliseconds. */
export type Log = {
  readonly info: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly error: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};
