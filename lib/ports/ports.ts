import type { ObjectStore } from '../bucket/object-store.ts';
import type { Engine } from '../engine/engine.ts';
import type { ProtocolLimits } from '../limits.ts';

/**
 * Sends one message to a FIFO queue. A second one with the same deduplication id within five
 * minutes is dropped.
 */
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
  /** What is not samples goes through a queue of its own; the stack puts it in order. */
  readonly sendCommand: Sender;
  /** Waits before something is tried again: longer after each attempt, and never all alike. */
  readonly pause: (attempt: number) => Promise<void>;
  /** Milliseconds since 1970. No safety rule reads it. */
  readonly now: () => number;
  /** A text that no other call ever returns, on any machine. */
  readonly nonce: () => string;
  readonly engine: Engine;
  readonly log: Log;
  /** The bounds of the protocol; a test has smaller ones, so that few messages meet them. */
  readonly limits: ProtocolLimits;
};

/**
 * Structured logging; `fields` carry model, sequence number, counts, losses, durations in
 * milliseconds.
 */
export type Log = {
  readonly info: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly error: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};
