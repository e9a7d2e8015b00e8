import { gunzipSync } from 'node:zlib';
import { invalid } from '../errors.ts';
import { limits } from '../limits.ts';
import { csv } from './formats/csv.ts';
import type { Format, Row } from './formats/format.ts';
import { jsonLines } from './formats/json-lines.ts';
import { parquet } from './formats/parquet.ts';

/** The file formats that a dataset may have. */
const formats: readonly Format[] = [jsonLines, csv, parquet];

const endings = formats.flatMap(({ ending, mayBeGzip }) =>
  mayBeGzip ? [ending, `${ending}.gz`] : [ending],
);

/**
 * The rows of one dataset object, in order, in chunks.
 *
 * @throws MillraceError kind `invalid` that names the object if its format is unknown or it cannot
 *   be read
 */
export async function* readRows(body: Uint8Array, key: string): AsyncGenerator<readonly Row[]> {
  const name = key.replace(/\.gz$/, '');
  const format = formats.find(({ ending }) => name.endsWith(ending));
  if (format === undefined) throw invalid(`${key}: its name must end with ${endings.join(', ')}`);
  try {
    const isGzip = key.endsWith('.gz');
    yield* format.read(
      isGzip ? gunzipSync(body, { maxOutputLength: limits.datasetObjectBytes }) : body,
    );
  } catch (cause) {
    throw invalid(
      `${key} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    );
  }
}
