import { limits } from '../../limits.ts';
import type { ByteSource } from '../byte-source.ts';
import { FlatTable } from './flatbuffers.ts';

/** A message of the Arrow IPC format: where it stands, and what it holds. */
export type ArrowMessage = {
  readonly kind: 'schema' | 'dictionary' | 'batch' | 'other';
  readonly start: number;
  readonly end: number;
  /** Rows of a batch; 0 of others. */
  readonly rows: number;
  /** Of the values of a dictionary: which one, and whether they are put behind those before. */
  readonly dictionary?: { readonly id: number; readonly isDelta: boolean } | undefined;
};

const kinds = ['other', 'schema', 'dictionary', 'batch'] as const;

const fileMagic = 'ARROW1';
/** Before the metadata of a message: a mark, and how long they are; the mark came with 0.15. */
const [mark, prefixBytes] = [0xffffffff, 8];
/** What is read at once: most metadata are shorter. */
const pieceBytes = 65_536;

/**
 * The messages of a file or stream, in order; no body is read. A file's footer says where they are
 * as well, but streams have none.
 *
 * @throws Error if it is damaged
 */
export async function* messagesOf(bytes: ByteSource): AsyncGenerator<ArrowMessage> {
  const { sizeBytes } = bytes;
  const first = await bytes.read(0, Math.min(fileMagic.length, sizeBytes));
  const isFile = Buffer.from(first).toString('latin1') === fileMagic;
  let start = isFile ? 8 : 0;
  let columns: number | undefined;
  while (start + prefixBytes <= sizeBytes) {
    let piece = await bytes.read(start, Math.min(start + pieceBytes, sizeBytes));
    const hasMark = uint32(piece, 0) === mark;
    const metadataBytes = uint32(piece, hasMark ? 4 : 0);
    // The end of a stream, or what stands before a file's footer.
    if (metadataBytes === 0 && columns !== undefined) return;
    const bodyStart = start + (hasMark ? 8 : 4) + metadataBytes;
    if (metadataBytes === 0 || metadataBytes > limits.rowGroupBytes || bodyStart > sizeBytes)
      throw damaged(start);
    if (bodyStart - start > piece.length) piece = await bytes.read(start, bodyStart);
    const message = messageIn(piece.subarray(hasMark ? 8 : 4, bodyStart - start), columns ?? 0);
    if (message === undefined || bodyStart + message.bodyLength > sizeBytes) throw damaged(start);
    const { kind, rows, dictionary } = message;
    if (kind === 'schema') ({ columns } = message);
    if (columns === undefined) throw isFile ? withoutSchema() : damaged(start);
    const end = bodyStart + message.bodyLength;
    yield { kind, rows, dictionary, start, end };
    start = end;
  }
  if (isFile || columns === undefined) throw damaged(start);
}

/**
 * What the metadata of a message say; undefined if they are damaged. Whoever reads them believes
 * how long their lists are.
 *
 * @param columns as many as the schema has
 */
function messageIn(metadata: Uint8Array, columns: number) {
  try {
    const message = FlatTable.rootOf(metadata);
    const [kind, header] = [kinds[message.uint8(1)] ?? 'other', message.table(2)];
    const bodyLength = message.int64(3);
    if (header === undefined || bodyLength < 0) return undefined;
    const found = { kind, bodyLength, rows: 0, columns, dictionary: undefined };
    if (kind === 'schema') return { ...found, columns: countColumns(header) };
    if (kind === 'batch') return { ...found, rows: rowsOf(header, bodyLength, columns) };
    const values = kind === 'dictionary' ? header.table(1) : undefined;
    if (values === undefined) return found;
    rowsOf(values, bodyLength, 1);
    return { ...found, dictionary: { id: header.int64(0), isDelta: header.uint8(2) !== 0 } };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The fields of a schema, none of which has too much in it. */
function countColumns(schema: FlatTable): number {
  let left = limits.arrowFields;
  const check = (field: FlatTable): void => {
    left -= 1;
    if (left < 0) throw new RangeError('too many fields');
    const [name, union, type, children, notes] = [0, 2, 3, 5, 6];
    field.check(name, 1);
    for (const note of field.tables(notes)) for (const text of [0, 1]) note.check(text, 1);
    const kind = field.uint8(union);
    // The ids of what a union may be.
    if (kind === unionType) field.table(type)?.check(1, 4);
    if (kind === decimalType && Math.abs(field.table(type)?.int32(1) ?? 0) > mostDecimals)
      throw new RangeError('too many decimals');
    field.tables(children).forEach(check);
  };
  const fields = schema.tables(1);
  fields.forEach(check);
  for (const note of schema.tables(2)) for (const text of [0, 1]) note.check(text, 1);
  return fields.length;
}

const [decimalType, unionType] = [7, 14];
/** Of the widest decimal, of 256 bits. */
const mostDecimals = 76;

/** The rows of a batch, whose buffers lie in its body. */
function rowsOf(batch: FlatTable, bodyLength: number, columns: number): number {
  const rows = batch.int64(0);
  const nodes = batch.pairs(1);
  const isWithin = batch
    .pairs(2)
    .every(([offset, length]) => offset >= 0 && length >= 0 && offset + length <= bodyLength);
  batch.check(4, 8);
  const isCounted = rows >= 0 && nodes.every(([length]) => length >= 0);
  const isSame = columns === 0 || nodes.some(([length]) => length === rows);
  if (rows > limits.arrowRows) throw new RangeError('too many rows');
  if (!isWithin || !isCounted || !isSame) throw new RangeError('its parts contradict each other');
  return rows;
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** (Some writers of files put it into the footer alone, which a reader that streams has last.) */
function withoutSchema(): Error {
  return new Error(
    'its first message is no schema, which only its footer has; write it as a stream (.arrows)',
  );
}

function damaged(at: number): Error {
  return new Error(`the file is damaged: there is no whole message at byte ${at}`);
}
