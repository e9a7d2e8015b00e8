import type { BucketPorts } from '../bucket/object-store.ts';
import type { Engine } from '../engine/engine.ts';

/**
 * Sends one message to a FIFO queue. A second one with the same deduplication id within five
 * minutes is dropped.
 */
export type Sender = (message: {
  readonly body: string;
  readonly group: string;
  readonly deduplication: string;
}) => Promise<void>;

/** Starts a state machine. A second start under the same name is the first one. */
export type Starter = (execution: {
  readonly name: string;
  readonly input: string;
}) => Promise<void>;

/** Puts a file under a key, in parts of so many bytes. */
export type Upload = (
  key: string,
  file: { readonly path: string; readonly partBytes: number },
  onBytes: (done: number) => void,
) => Promise<void>;

/** Everything that the training protocol sees of the world. */
export type Ports = BucketPorts & {
  readonly sendSamples: Sender;
  readonly sendJob: Sender;
  /** What is not samples goes through a queue of its own; the stack puts it in order. */
  readonly sendCommand: Sender;
  /**
   * Has the parts of a dataset prepared side by side, and then the job's next slice sent. Absent
   * where there is no state machine: parts are prepared one after another.
   */
  readonly startParts?: Starter;
  /** Has stretches of a journal folded side by side; absent where there is no state machine. */
  readonly startVerification?: Starter;
  /** Has several specs tried side by side; absent where there is no state machine. */
  readonly startTrials?: Starter;
  /** Milliseconds since 1970. No safety rule reads it. */
  readonly now: () => number;
  /**
   * Lets what is on its way over the network come on, between two calls of an engine that take
   * long; absent where nothing is.
   */
  readonly turn?: () => Promise<void>;
  /** A text that no other call ever returns, on any machine. */
  readonly nonce: () => string;
  readonly engine: Engine;
  readonly log: Log;
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
