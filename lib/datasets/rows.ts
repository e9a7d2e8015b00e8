import { isUtf8 } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import { csv } from './formats/csv.ts';
import type { Format, RowChunk } from './formats/format.ts';
import { jsonLines } from './formats/json-lines.ts';
import { parquet } from './formats/parquet.ts';

/** The file formats that a dataset may have. */
const formats: readonly Format[] = [jsonLines, csv, parquet];

const endings = formats.flatMap((format) => [
  ...format.endings,
  ...(format.isText ? format.endings.map((ending) => `${ending}.gz`) : []),
]);

/** Whether an object lies beside the data and is none: markers, checksums, notes, hidden files. */
export function isNoData(key: string): boolean {
  // The folders below the dataset's own count too: `_temporary/`, `.ipynb_checkpoints/`.
  const names = key.split('/').slice(2);
  return names.some((name) => /^[_.]|\.(crc|md5|sha256|md)$|^$/i.test(name));
}

/**
 * The rows of one dataset object, in order, in chunks.
 *
 * @throws MillraceError kind `invalid` that names the object if its format is unknown or it cannot
 *   be read
 */
export async function* readRows(body: Uint8Array, key: string): AsyncGenerator<RowChunk> {
  const ending = key.toLowerCase().match(/(\.[a-z0-9]+)(\.gz)?$/);
  const format = formats.find((each) => each.endings.some((one) => one === ending?.[1]));
  if (format === undefined || (ending?.[2] !== undefined && !format.isText))
    throw invalid(`${key}: its name must end with ${endings.join(', ')}`);
  try {
    yield* format.read(format.isText ? textOf(body) : body);
  } catch (cause) {
    throw invalid(
      `${key} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    );
  }
}

/** A text file as UTF-8 without a byte-order mark, whether it is gzip, UTF-16 or neither. */
function textOf(body: Uint8Array): Uint8Array {
  const isGzip = body[0] === 0x1f && body[1] === 0x8b;
  const bytes = isGzip
    ? gunzipSync(body, { maxOutputLength: limits.datasetObjectBytes })
    : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return decoded(bytes.subarray(2), 'utf-16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return decoded(bytes.subarray(2), 'utf-16be');
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  if (isUtf8(bytes)) return hasMark ? bytes.subarray(3) : bytes;
  throw new Error(
    'its text must be UTF-8, or UTF-16 with a byte-order mark; save it again as that',
  );
}

function decoded(bytes: Uint8Array, encoding: string): Uint8Array {
  return Buffer.from(new TextDecoder(encoding, { fatal: true }).decode(bytes));
}
