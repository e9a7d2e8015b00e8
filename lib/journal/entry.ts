import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { limits } from '../limits.ts';
import { parse } from '../parse.ts';
import { jobId, producerName } from '../spec/names.ts';
import type { MessageIdentity } from '../state/ledger.ts';

/** A message that an entry settles, and what became of it. */
const settledMessage = z.strictObject({
  id: z.string(),
  producer: producerName.optional(),
  seq: z.int().positive().optional(),
  /** The id of the dead letter that got this number. */
  deadLetter: z.string().optional(),
  queue: z.string(),
  sequenceNumber: z.string().regex(/^\d+$/),
  outcome: z.enum(['learnt', 'rejected']),
  /** Samples of this message among the entry's lines. */
  samples: z.int().nonnegative(),
  /** Samples of this message in quarantine. */
  refused: z.int().nonnegative(),
  /** The mean loss that the model before this message earned on it. */
  loss: z.number().optional(),
});

const common = {
  sequence: z.int().positive(),
  model: z.string(),
  spec: z.string(),
  engine: z.string(),
  nonce: z.string(),
  time: z.string(),
  messages: z.array(settledMessage),
};

const headerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('samples'), ...common }),
  /** A batch job's weights replace the champion's; they had learnt the journal up to `caughtUp`. */
  z.strictObject({
    kind: z.literal('promote'),
    ...common,
    job: jobId,
    digest: z.string(),
    caughtUp: z.int().nonnegative(),
  }),
  /** The weights of an earlier entry come back; the ledger stays what it is. */
  z.strictObject({ kind: z.literal('rollback'), ...common, to: z.int().nonnegative() }),
  /** Weights that never learnt some samples, the first of them in entry `from`, replace those that had. */
  z.strictObject({
    kind: z.literal('retract'),
    ...common,
    job: jobId,
    digest: z.string(),
    caughtUp: z.int().nonnegative(),
    from: z.int().positive(),
    /** Ids of whole messages, hashes of single samples, and promoted jobs that had learnt them. */
    without: z.strictObject({
      messages: z.array(z.string()),
      samples: z.array(z.string()),
      jobs: z.array(z.string()).default([]),
    }),
  }),
]);

/** A message that an entry settles, and what became of it. */
export type SettledMessage = z.output<typeof settledMessage>;
/** The first line of an entry: what was committed, and by whom. */
export type EntryHeader = z.output<typeof headerSchema>;
/** One immutable object of the journal: a committed group of commands, and the learnt samples as they came. */
export type Entry = { readonly header: EntryHeader; readonly samples: readonly unknown[] };

/** zstd-compressed JSON Lines: the header, then a line for each learnt sample. `zstdcat` shows it. */
export function encodeEntry({ header, samples }: Entry): Uint8Array {
  const lines = [header, ...samples].map((line) => JSON.stringify(line));
  return zstdCompressSync(`${lines.join('\n')}\n`);
}

/** Reads {@link encodeEntry}. @throws MillraceError kind `corrupt` if it is no entry */
export function decodeEntry(body: Uint8Array, key: string): Entry {
  try {
    const text = zstdDecompressSync(body, { maxOutputLength: limits.datasetObjectBytes }).toString('utf8');
    const [first = '', ...rest] = text.trimEnd().split('\n');
    const header = parse(headerSchema, JSON.parse(first), 'header');
    const samples: unknown[] = rest.map((line) => JSON.parse(line));
    const declared = header.messages.reduce((sum, message) => sum + message.samples, 0);
    if (declared !== samples.length) throw new Error(`${declared} samples declared, ${samples.length} found`);
    return { header, samples };
  } catch (cause) {
    throw new MillraceError('corrupt', `${key} is no journal entry: ${cause}`, { cause });
  }
}

/** The samples of an entry, message by message. */
export function samplesByMessage({ header, samples }: Entry): readonly (readonly unknown[])[] {
  let line = 0;
  return header.messages.map((message) => {
    const own = samples.slice(line, line + message.samples);
    line += message.samples;
    return own;
  });
}

/** The identity by which the ledger judges a settled message. */
export function identityOf(message: SettledMessage): MessageIdentity {
  const { id, producer, seq, deadLetter, queue, sequenceNumber } = message;
  return {
    id,
    ...(producer === undefined || seq === undefined ? {} : { producer: { name: producer, seq } }),
    ...(deadLetter === undefined ? {} : { deadLetter }),
    queue,
    sequenceNumber,
  };
}
