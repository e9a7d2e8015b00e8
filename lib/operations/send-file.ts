import { createHash } from 'node:crypto';
import { type ByteSource, piecesOf } from '../datasets/byte-source.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { lastState } from '../fold/checkpoints.ts';
import { limits } from '../limits.ts';
import { plainJson } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { numberedMessage } from '../ports/producer.ts';
import type { Spec } from '../spec/spec.ts';
import { judge } from '../state/ledger.ts';

/** How a file is sent. */
export type SendOptions = {
  /** Samples of a message; a message is smaller where they do not fit. */
  readonly samplesPerMessage?: number;
  /** Samples a second; as fast as it goes unless given. */
  readonly rate?: number;
  /** Waits some milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Called after each message with the samples so far. */
  readonly onSent?: (samples: number) => void;
};

/** What sending a file came to. */
export type SentFile = {
  readonly producer: string;
  readonly messages: number;
  readonly samples: number;
  /** Messages that the model had settled before, and that were not sent again. */
  readonly settledBefore: number;
  /** Rows that cannot be read, with their places. */
  readonly bad: readonly { readonly line: number; readonly reason: string }[];
};

/**
 * Sends the rows of a file to a model as samples, in their order. The producer is named after the
 * file's content, and the messages are cut alike each time: sending the file again changes
 * nothing, and goes on where it was broken off.
 */
export async function sendFile(
  ports: Pick<Ports, 'store' | 'log' | 'sendSamples' | 'now' | 'limits'>,
  spec: Spec,
  file: { readonly name: string; readonly bytes: ByteSource },
  { samplesPerMessage = 500, rate, wait, onSent = () => undefined }: SendOptions,
): Promise<SentFile> {
  const producer = `file-${(await digestOfBytes(file.bytes)).slice(0, 16)}-${samplesPerMessage}`;
  const ledger = (await lastState(ports, spec.model))?.ledger;
  const isSettled = (seq: number) =>
    ledger !== undefined &&
    judge(ledger, { by: 'producer', producer, seq }, ports.limits).verdict === 'settled';
  const sums = { messages: 0, samples: 0, settledBefore: 0 };
  const bad: { line: number; reason: string }[] = [];
  const started = ports.now();
  let seq = 0;
  for await (const message of messagesOf(spec, file, samplesPerMessage, bad)) {
    seq += 1;
    sums.samples += message.length;
    if (isSettled(seq)) sums.settledBefore += 1;
    else {
      await ports.sendSamples(numberedMessage({ model: spec.model, name: producer, seq }, message));
      sums.messages += 1;
    }
    onSent(sums.samples);
    if (rate !== undefined) {
      const due = started + (1_000 * sums.samples) / rate;
      if (due > ports.now()) await wait(due - ports.now());
    }
  }
  return { producer, ...sums, bad };
}

/** A file as JSON samples in messages: as many as allowed, and no more than one can hold. */
async function* messagesOf(
  spec: Spec,
  file: { readonly name: string; readonly bytes: ByteSource },
  most: number,
  bad: { line: number; reason: string }[],
): AsyncGenerator<readonly string[]> {
  let message: string[] = [];
  let bytes = 0;
  for await (const chunk of readSamples(spec, file)) {
    for (const { line, reason } of chunk.bad) {
      if (bad.length < limits.refusedExamples) bad.push({ line, reason });
    }
    for (const sample of chunk.samples) {
      const text = JSON.stringify(sample, plainJson);
      const own = Buffer.byteLength(text) + 1;
      if (message.length >= most || (bytes + own > sampleBytes && message.length > 0)) {
        yield message;
        message = [];
        bytes = 0;
      }
      message.push(text);
      bytes += own;
    }
  }
  if (message.length > 0) yield message;
}

/** Of a message, what its samples may take; the rest is for producer and number. */
const sampleBytes = limits.messageBytes - 1_024;

async function digestOfBytes(bytes: ByteSource): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of piecesOf(bytes)) hash.update(piece);
  return hash.digest('hex');
}
