import { types } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import { CompressionType, setCompressionCodec, Type, tableFromIPC } from '@uwdata/flechette';
import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';
import { assertWhole } from './arrow-batches.ts';
import { type ArrowMessage, framed, messagesOf } from './arrow-messages.ts';
import { textOfBytes, textOfUuid } from './byte-text.ts';
import { rounded } from './decimals.ts';
import { type BinaryReader, chunkOf, cutsBetween, rowsOfChunk } from './format.ts';
import { decodeLz4Frame } from './lz4-frame.ts';

/** Arrow IPC, files (Feather 2) and streams; its buffers are packed inside. */
export const arrow: BinaryReader = {
  async *read(bytes, needed, { from, to = Number.POSITIVE_INFINITY }) {
    const first = from?.at ?? 0;
    /** The schema, and the dictionaries that hold: what a batch is read with. */
    let before: Before[] = [];
    /** Batches that are read at once, and the row behind them. */
    let group: ArrowMessage[] = [];
    let rowStart = 0;
    const sizeBefore = () => before.reduce((sum, each) => sum + each.bytes.length, 0);
    const read = async function* () {
      const rows = group.reduce((sum, each) => sum + each.rows, 0);
      const start = rowStart - rows;
      const place = { needed, rows, rowStart: start, first: Math.max(0, first - start) };
      if (group.length > 0) yield* rowsOf(bytes, before, group, place);
      group = [];
    };
    for await (const message of messagesOf(bytes)) {
      if (rowStart >= to) break;
      // Dictionaries are read with each group: one is as large as they are, or a chunk.
      const most = Math.max(limits.chunkBytes, sizeBefore());
      const size = group.reduce((sum, each) => sum + sizeOf(each), sizeOf(message));
      if (message.kind !== 'batch' || size > most) yield* read();
      if (message.kind === 'schema' || message.kind === 'dictionary') {
        assertFits(sizeOf(message), rowStart);
        const own = framed(message, await bytes.read(message.start, message.end));
        before = withMessage(before, message, own);
        assertFits(sizeBefore(), rowStart);
      } else if (message.kind === 'batch' && rowStart + message.rows > first) {
        assertFits(sizeOf(message), rowStart);
        group.push(message);
      }
      rowStart += message.rows;
    }
    yield* read();
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

/** The rows of some batches. */
async function* rowsOf(
  bytes: ByteSource,
  before: readonly Before[],
  batches: readonly ArrowMessage[],
  { needed, rows, rowStart, first }: BatchPlace,
) {
  const bodies: Uint8Array[] = [];
  for (const { start, end } of batches) bodies.push(await bytes.read(start, end));
  const known = before.map((each) => each.bytes);
  const columns = readable(rowStart, () => columnsOf([...known, ...bodies]));
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined)
    throw new Error(`two columns are named ${JSON.stringify(twice)}; rename one`);
  const taken = columns.filter(({ name }) => needed?.has(name) ?? true);
  const sizeBytes = bodies.reduce((sum, { length }) => sum + length, 0);
  const count = rowsOfChunk(sizeBytes, rows);
  for (let start = first; start < rows; start += count) {
    const length = Math.min(count, rows - start);
    yield readable(rowStart, () => {
      const own = taken.map(({ name, valueAt }) => {
        const values = Array.from({ length }, (_, i) => valueAt(start + i));
        return [name, values, 0] as const;
      });
      return chunkOf(rowStart + start, length, own);
    });
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
    const isUuid = table.schema.fields[i]?.metadata?.get(extension) === 'arrow.uuid';
    const decimals = column.type.typeId === Type.Decimal ? column.type.scale : undefined;
    const valueAt = (place: number) => {
      const value: unknown = column.at(place);
      if (isText && value instanceof Uint8Array)
        return isUuid ? textOfUuid(value) : textOfBytes(value);
      return decimals === undefined ? plain(value) : rounded(value, decimals);
    };
    return { name: String(table.names[i]), valueAt };
  });
}

/** Lists as lists: those of numbers are typed arrays, which JSON knows as objects of places. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (types.isTypedArray(value)) return Array.from<unknown>(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

/** What a field says of values that mean more than their bytes. */
const extension = 'ARROW:extension:name';

/** Bytes without a type are texts, as they are in Parquet. */
const binaryTypes: ReadonlySet<number> = new Set([
  Type.Binary,
  Type.LargeBinary,
  Type.BinaryView,
  Type.FixedSizeBinary,
]);

/** How many rows batches have, where they stand, and which of them are wanted. */
type BatchPlace = {
  readonly rows: number;
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
