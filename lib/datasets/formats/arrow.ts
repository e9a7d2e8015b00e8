import { zstdDecompressSync } from 'node:zlib';
import { CompressionType, setCompressionCodec, tableFromIPC } from '@uwdata/flechette';
import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';
import { type ArrowMessage, messagesOf } from './arrow-messages.ts';
import { type BinaryReader, cutsBetween, rowsOfChunk } from './format.ts';
import { decodeLz4Frame } from './lz4-frame.ts';

/** Arrow IPC, files (Feather 2) and streams; its buffers are packed inside. */
export const arrow: BinaryReader = {
  async *read(bytes, needed, { from, to = Number.POSITIVE_INFINITY }) {
    const first = from?.at ?? 0;
    /** The schema, and the dictionaries so far: what a batch is read with. */
    const before: Uint8Array[] = [];
    let rowStart = 0;
    for await (const message of messagesOf(bytes)) {
      if (rowStart >= to) return;
      const rowEnd = rowStart + message.rows;
      if (message.kind === 'schema' || message.kind === 'dictionary') {
        assertFits(before.reduce((sum, { length }) => sum + length, 0) + sizeOf(message), rowStart);
        before.push(await bytes.read(message.start, message.end));
      } else if (message.kind === 'batch' && rowEnd > first) {
        yield* rowsOf(bytes, before, message, {
          needed,
          rowStart,
          first: Math.max(0, first - rowStart),
        });
      }
      rowStart = rowEnd;
    }
  },
  async cuts(bytes, stretchBytes) {
    const groups: { rows: number; bytes: number }[] = [];
    for await (const message of messagesOf(bytes))
      if (message.kind === 'batch') groups.push({ rows: message.rows, bytes: sizeOf(message) });
    return cutsBetween(groups, stretchBytes);
  },
};

/** The rows of a batch. */
async function* rowsOf(
  bytes: ByteSource,
  before: readonly Uint8Array[],
  batch: ArrowMessage,
  { needed, rowStart, first }: BatchPlace,
) {
  assertFits(sizeOf(batch), rowStart);
  const body = await bytes.read(batch.start, batch.end);
  const table = tableFromIPC([...before, body], { useBigInt: true, useDate: true });
  const twice = table.names.find((name, place) => table.names.indexOf(name) !== place);
  if (twice !== undefined)
    throw new Error(`two columns are named ${JSON.stringify(twice)}; rename one`);
  const columns = table.names
    .filter((name) => needed?.has(name) ?? true)
    .map((name) => ({ name, column: table.getChild(name) }));
  const count = rowsOfChunk(body.length, batch.rows);
  for (let start = first; start < batch.rows; start += count) {
    const end = Math.min(start + count, batch.rows);
    const places = Array.from({ length: end - start }, (_, i) => start + i);
    yield {
      rows: places.map((place) =>
        Object.fromEntries(columns.map(({ name, column }) => [name, column.at(place)])),
      ),
      lines: places.map((place) => rowStart + place + 1),
      bad: [],
      next: { at: rowStart + end, line: rowStart + end + 1 },
    };
  }
}

/** Where a batch stands among the rows, and which of them are wanted. */
type BatchPlace = {
  readonly needed: ReadonlySet<string> | undefined;
  readonly rowStart: number;
  readonly first: number;
};

function sizeOf({ start, end }: ArrowMessage): number {
  return end - start;
}

function assertFits(sizeBytes: number, rowStart: number): void {
  if (sizeBytes <= limits.rowGroupBytes) return;
  throw new Error(
    `its batch from row ${rowStart + 1} on takes ${sizeBytes} bytes, and ${limits.rowGroupBytes} are ` +
      'allowed; write it in smaller batches',
  );
}

function readOnly(): never {
  throw new Error('nothing is packed here');
}

setCompressionCodec(CompressionType.ZSTD, {
  decode: (packed) => zstdDecompressSync(packed, { maxOutputLength: limits.rowGroupBytes }),
  encode: readOnly,
});
setCompressionCodec(CompressionType.LZ4_FRAME, {
  decode: (packed) => decodeLz4Frame(packed, limits.rowGroupBytes),
  encode: readOnly,
});
