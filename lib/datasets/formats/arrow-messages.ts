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
  /** Whether it lacks what tells how long its metadata are: they are all of it. */
  readonly isBare?: boolean;
};

const kinds = ['other', 'schema', 'dictionary', 'batch'] as const;

const fileMagic = 'ARROW1';
/** Where the messages of a file begin. */
const fileStart = 8;
/** At the end of a file, behind its footer: how long that is, and the magic. */
const tailBytes = 4 + fileMagic.length;
/** Of a footer, what it says of each message: where it begins, first. */
const blockBytes = 24;
/** No schema is shorter. */
const leastMetadata = 16;
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
  const magic = Buffer.from(first).toString('latin1');
  if (magic.startsWith('FEA1'))
    throw new Error('it is of version 1 of Feather; write version 2, as pyarrow does unless told');
  const isFile = magic === fileMagic;
  let start = isFile ? fileStart : 0;
  let columns: number | undefined;
  const bare = isFile ? await bareSchemaOf(bytes) : undefined;
  if (bare !== undefined) {
    yield { kind: 'schema', rows: 0, start, end: bare.end, isBare: true };
    for (const place of bare.places) {
      const message = await messageAt(bytes, place, bare.columns);
      if (message === undefined) throw damaged(place);
      yield message;
    }
    return;
  }
  while (start + prefixBytes <= sizeBytes) {
    const message = await messageAt(bytes, start, columns ?? 0);
    if (message === undefined) {
      if (columns === undefined) throw damaged(start);
      return;
    }
    if (message.kind === 'schema') ({ columns } = message);
    if (columns === undefined) throw isFile ? withoutSchema() : damaged(start);
    yield message;
    start = message.end;
  }
  if (isFile || columns === undefined) throw damaged(start);
}

/**
 * The message at a place; undefined at the end of a stream, or of what stands before a file's
 * footer.
 *
 * @throws Error if there is none that is whole
 */
async function messageAt(bytes: ByteSource, start: number, columns: number) {
  const { sizeBytes } = bytes;
  if (start + prefixBytes > sizeBytes) throw damaged(start);
  let piece = await bytes.read(start, Math.min(start + pieceBytes, sizeBytes));
  const hasMark = uint32(piece, 0) === mark;
  const metadataBytes = uint32(piece, hasMark ? 4 : 0);
  if (metadataBytes === 0) return undefined;
  const bodyStart = start + (hasMark ? 8 : 4) + metadataBytes;
  if (metadataBytes > limits.rowGroupBytes || bodyStart > sizeBytes) throw damaged(start);
  if (bodyStart - start > piece.length) piece = await bytes.read(start, bodyStart);
  const message = messageIn(piece.subarray(hasMark ? 8 : 4, bodyStart - start), columns);
  if (message === undefined || bodyStart + message.bodyLength > sizeBytes) throw damaged(start);
  const { bodyLength, ...found } = message;
  return { ...found, start, end: bodyStart + bodyLength };
}

/**
 * Where the schema of a file ends that begins with its metadata alone, as Polars writes it, and the
 * places of the others by its footer, dictionaries first; undefined if it is a message like them.
 */
async function bareSchemaOf(
  bytes: ByteSource,
): Promise<
  { readonly columns: number; readonly end: number; readonly places: readonly number[] } | undefined
> {
  const { sizeBytes } = bytes;
  const head = await bytes.read(fileStart, Math.min(fileStart + prefixBytes, sizeBytes));
  const isUsual = head.length < prefixBytes || uint32(head, 0) === mark;
  if (isUsual || uint32(head, 0) > leastMetadata) return undefined;
  const tail = await bytes.read(Math.max(0, sizeBytes - tailBytes), sizeBytes);
  const footerEnd = sizeBytes - tailBytes;
  const footerStart = footerEnd - uint32(tail, 0);
  const isWhole = Buffer.from(tail).toString('latin1', 4) === fileMagic && footerStart > fileStart;
  if (!isWhole || footerEnd - footerStart > limits.rowGroupBytes) return undefined;
  try {
    const footer = FlatTable.rootOf(await bytes.read(footerStart, footerEnd));
    const [dictionaries, batches] = [2, 3];
    const places = [dictionaries, batches].flatMap((each) => footer.int64s(each, blockBytes));
    const end = places.reduce((least, place) => Math.min(least, place), footerStart);
    const schema = end > fileStart ? messageIn(await bytes.read(fileStart, end), 0) : undefined;
    if (schema?.kind !== 'schema') return undefined;
    return { columns: schema.columns, end, places };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A message's bytes as a reader of streams takes them. */
export function framed({ isBare = false }: Pick<ArrowMessage, 'isBare'>, bytes: Uint8Array) {
  if (!isBare) return bytes;
  const prefix = new DataView(new ArrayBuffer(prefixBytes));
  prefix.setUint32(0, mark, true);
  prefix.setUint32(4, bytes.length, true);
  return Buffer.concat([new Uint8Array(prefix.buffer), bytes]);
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
  const variadic = batch.int64s(4, 8);
  const buffers = batch.pairs(2).length;
  const areThere = variadic.every((count) => count >= 0 && count <= buffers);
  const isCounted = rows >= 0 && areThere && nodes.every(([length]) => length >= 0);
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
