import { zstdDecompressSync } from 'node:zlib';
import { CompressionType, setCompressionCodec, Type, tableFromIPC } from '@uwdata/flechette';
import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';
import { assertWhole } from './arrow-batches.ts';
import { type ArrowMessage, messagesOf } from './arrow-messages.ts';
import { type BinaryReader, cutsBetween, rowsOfChunk } from './format.ts';
import { decodeLz4Frame } from './lz4-frame.ts';

/** Arrow IPC, files (Feather 2) and streams; its buffers are packed inside. */
export const arrow: BinaryReader = {
  async *read(bytes, needed, { from, to = Number.POSITIVE_INFINITY }) {
    const first = from?.at ?? 0;
    /** The schema, and the dictionaries that hold: what a batch is read with. */
    let before: Before[] = [];
    let rowStart = 0;
    for await (const message of messagesOf(bytes)) {
      if (rowStart >= to) return;
      const rowEnd = rowStart + message.rows;
      if (message.kind === 'schema' || message.kind === 'dictionary') {
        assertFits(sizeOf(message), rowStart);
        before = withMessage(before, message, await bytes.read(message.start, message.end));
        assertFits(
          before.reduce((sum, each) => sum + each.bytes.length, 0),
          rowStart,
        );
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

/** A message that later ones are read with. */
type Before = Pick<ArrowMessage, 'dictionary'> & { readonly bytes: Uint8Array };

/** The messages that hold once another has come: a dictionary takes the place of an earlier one. */
function withMessage(before: Before[], { dictionary }: ArrowMessage, bytes: Uint8Array): Before[] {
  const isReplaced = (each: Before) =>
    dictionary !== undefined && !dictionary.isDelta && each.dictionary?.id === dictionary.id;
  return [...before.filter((each) => !isReplaced(each)), { dictionary, bytes }];
}

/** The rows of a batch. */
async function* rowsOf(
  bytes: ByteSource,
  before: readonly Before[],
  batch: ArrowMessage,
  { needed, rowStart, first }: BatchPlace,
) {
  assertFits(sizeOf(batch), rowStart);
  const body = await bytes.read(batch.start, batch.end);
  const columns = readable(rowStart, () => columnsOf([...before.map((each) => each.bytes), body]));
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined)
    throw new Error(`two columns are named ${JSON.stringify(twice)}; rename one`);
  const taken = columns.filter(({ name }) => needed?.has(name) ?? true);
  const count = rowsOfChunk(body.length, batch.rows);
  for (let start = first; start < batch.rows; start += count) {
    const end = Math.min(start + count, batch.rows);
    const places = Array.from({ length: end - start }, (_, i) => start + i);
    const row = (place: number) =>
      Object.fromEntries(taken.map(({ name, valueAt }) => [name, valueAt(place)]));
    yield {
      rows: readable(rowStart, () => places.map(row)),
      lines: places.map((place) => rowStart + place + 1),
      bad: [],
      next: { at: rowStart + end, line: rowStart + end + 1 },
    };
  }
}

/** What is read of a batch. @throws Error that says where it is damaged */
function readable<Value>(rowStart: number, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`its batch from row ${rowStart + 1} on cannot be read: ${why}`);
  }
}

/** The columns of a batch with what it is read with. */
function columnsOf(messages: readonly Uint8Array[]) {
  unpackedBytes = 0;
  const table = tableFromIPC([...messages], { useBigInt: true, useDate: true });
  return table.children.map((column, i) => {
    for (const batch of column.data) assertWhole(batch);
    const isText = binaryTypes.has(column.type.typeId);
    const valueAt = (place: number) => {
      const value: unknown = column.at(place);
      return isText && value instanceof Uint8Array ? Buffer.from(value).toString() : value;
    };
    return { name: String(table.names[i]), valueAt };
  });
}

/** Bytes without a type are texts, as they are in Parquet. */
const binaryTypes: ReadonlySet<number> = new Set([
  Type.Binary,
  Type.LargeBinary,
  Type.BinaryView,
  Type.FixedSizeBinary,
]);

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

/** What was unpacked of a batch, and of what it is read with. */
let unpackedBytes = 0;

function unpacking(unpack: (packed: Uint8Array, most: number) => Uint8Array) {
  return (packed: Uint8Array) => {
    const most = limits.rowGroupBytes - unpackedBytes;
    const bytes = most > 0 ? unpack(packed, most) : readTooMuch();
    unpackedBytes += bytes.length;
    return bytes;
  };
}

function readTooMuch(): never {
  throw new Error(`it takes more than ${limits.rowGroupBytes} bytes in memory`);
}

setCompressionCodec(CompressionType.ZSTD, {
  decode: unpacking((packed, maxOutputLength) => zstdDecompressSync(packed, { maxOutputLength })),
  encode: readOnly,
});
setCompressionCodec(CompressionType.LZ4_FRAME, {
  decode: unpacking(decodeLz4Frame),
  encode: readOnly,
});
