import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { storedJson } from '../bucket/json-objects.ts';
import { type EntryHeader, parseHeader } from '../commands/commands.ts';
import type { SettledMessage } from '../commands/header.ts';
import { MillraceError, specChanged } from '../errors.ts';
import { readTable } from '../features/read-table.ts';
import { jsonOfSamples } from '../features/sample-json.ts';
import { type RawSamples, SampleTable } from '../features/sample-table.ts';
import { limits } from '../limits.ts';
import type { MessageIdentity } from '../state/ledger.ts';

/**
 * One immutable object of the journal: a committed group of commands, and the learnt samples as
 * they came, message by message.
 */
export type Entry = { readonly header: EntryHeader; readonly samples: readonly RawSamples[] };

/**
 * zstd-compressed JSON Lines: the header, then a line for each learnt sample, or one for a message
 * that came as a table, and a checksum. `zstdcat` shows it.
 */
export function encodeEntry({ header, samples }: Entry): Uint8Array {
  // What is written must be readable again: the header passes its own schema first.
  const lines = [storedJson(parseHeader(header), `entry ${header.sequence}`)];
  for (const own of samples) {
    if (own instanceof SampleTable) lines.push(`${tableStart}${JSON.stringify(own)}}`);
    else lines.push(...jsonOfSamples(own));
  }
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  return zstdCompressSync(`${lines.join('\n')}\n`, { params });
}

/** How the line of a table begins; no sample that can be learnt has such a field. */
const tableStart = '{"columns":';

/** Reads {@link encodeEntry}. @throws MillraceError kind `corrupt` if it is no entry */
export function decodeEntry(body: Uint8Array, key: string): Entry {
  return reading(key, () => {
    const [first = '', ...lines] = unpacked(body).toString('utf8').trimEnd().split('\n');
    const header = parseHeader(JSON.parse(first));
    let next = 0;
    const samples = header.messages.map(({ samples: declared }) => {
      const line = lines[next] ?? '';
      if (declared > 0 && line.startsWith(tableStart)) {
        next += 1;
        return tableOfLine(line, declared);
      }
      const own = lines.slice(next, next + declared).map((each): unknown => JSON.parse(each));
      next += declared;
      if (own.length === declared) return own;
      throw new Error(`${declared} samples declared, ${own.length} found`);
    });
    if (next === lines.length) return { header, samples };
    throw new Error(`${lines.length - next} lines more than are declared`);
  });
}

function tableOfLine(line: string, declared: number): SampleTable {
  const { columns } = JSON.parse(line) as { readonly columns: unknown };
  const read = readTable(columns);
  if (!read.ok) throw new Error(`${['columns', ...read.path].join('.')} ${read.reason}`);
  if (read.table.length === declared) return read.table;
  throw new Error(`${declared} samples declared, ${read.table.length} found`);
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

/** The samples of all messages, one after the other. */
export function allOf(messages: Entry['samples']): readonly unknown[] {
  return messages.flatMap((own) => [...own]);
}

/** How many samples there are in some messages. */
export function countSamples(messages: Entry['samples']): number {
  return messages.reduce((sum, { length }) => sum + length, 0);
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
