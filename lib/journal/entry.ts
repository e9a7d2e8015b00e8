import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { storedJson } from '../bucket/json-objects.ts';
import { type EntryHeader, parseHeader } from '../commands/commands.ts';
import type { SettledMessage } from '../commands/header.ts';
import { MillraceError, specChanged } from '../errors.ts';
import { jsonOfSamples } from '../features/sample-json.ts';
import { limits } from '../limits.ts';
import type { MessageIdentity } from '../state/ledger.ts';

/**
 * One immutable object of the journal: a committed group of commands, and the learnt samples as
 * they came.
 */
export type Entry = { readonly header: EntryHeader; readonly samples: readonly unknown[] };

/**
 * zstd-compressed JSON Lines: the header, then a line for each learnt sample, and a checksum.
 * `zstdcat` shows it.
 */
export function encodeEntry({ header, samples }: Entry): Uint8Array {
  // What is written must be readable again: the header passes its own schema first.
  const first = storedJson(parseHeader(header), `entry ${header.sequence}`);
  const lines = [first, ...jsonOfSamples(samples)];
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  return zstdCompressSync(`${lines.join('\n')}\n`, { params });
}

/** Reads {@link encodeEntry}. @throws MillraceError kind `corrupt` if it is no entry */
export function decodeEntry(body: Uint8Array, key: string): Entry {
  return reading(key, () => {
    const [first = '', ...rest] = unpacked(body).toString('utf8').trimEnd().split('\n');
    const header = parseHeader(JSON.parse(first));
    const samples: unknown[] = rest.map((line) => JSON.parse(line));
    const declared = header.messages.reduce((sum, message) => sum + message.samples, 0);
    if (declared !== samples.length)
      throw new Error(`${declared} samples declared, ${samples.length} found`);
    return { header, samples };
  });
}

/** The header of an entry, without its samples. @throws as {@link decodeEntry} */
export function decodeHeader(body: Uint8Array, key: string): EntryHeader {
  return reading(key, () => {
    const bytes = unpacked(body);
    const end = bytes.indexOf('\n');
    return parseHeader(JSON.parse(bytes.toString('utf8', 0, end < 0 ? bytes.length : end)));
  });
}

function unpacked(body: Uint8Array): Buffer {
  return zstdDecompressSync(body, { maxOutputLength: limits.entryBytes });
}

function reading<Read>(key: string, read: () => Read): Read {
  try {
    return read();
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
  const { id, producer, seq, digest, deadLetter, queue, sequenceNumber } = message;
  return producer === undefined || seq === undefined
    ? { by: 'queue', id, queue, sequenceNumber }
    : {
        by: 'producer',
        producer,
        seq,
        ...(digest === undefined ? {} : { digest }),
        ...(deadLetter === undefined ? {} : { deadLetter }),
      };
}

/**
 * Checks that an entry was made with the spec that a model has now.
 *
 * @throws MillraceError kind `corrupt` if spec.json was changed since
 */
export function assertSpec(
  { sequence, spec }: Pick<EntryHeader, 'sequence' | 'spec'>,
  specHash: string,
): void {
  if (spec !== specHash) throw specChanged(`entry ${sequence} was made with a different spec`);
}
