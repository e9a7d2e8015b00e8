import type { ColumnMetaData, Compressors } from 'hyparquet';
import { parquetHeader, readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import type { getTreePath } from 'hyparquet/src/schema.js';
import { limits } from '../../limits.ts';
import { assertRuns, pagesOf } from './parquet-runs.ts';

/**
 * Looks at the pages of a column of a row group before they are decoded: hyparquet 1.31 goes where
 * their headers say, without end if one says less than nothing.
 *
 * @param chunk all bytes of the column in the row group
 * @throws Error if a page is larger than the file says, or ends behind its column, or a run of
 *   values behind its page
 */
export function assertPages(
  chunk: ArrayBuffer,
  column: ColumnMetaData,
  { schemaPath, compressors }: Pick<LeafOf, 'schemaPath' | 'compressors'>,
): void {
  const pages = pagesOf(schemaPath, column, compressors);
  const reader = { view: new DataView(chunk), offset: 0 };
  const { byteLength } = reader.view;
  const mostValues = Number(column.num_values);
  let values = 0;
  while (reader.offset < byteLength - 1) {
    const header = parquetHeader(reader);
    const { compressed_page_size: size, uncompressed_page_size: unpacked } = header;
    const start = reader.offset;
    reader.offset += size;
    if (!(size >= 0 && reader.offset <= byteLength))
      throw new Error('a page ends behind its column');
    // (Some writers give the packed size as that of the whole column.)
    if (!(unpacked >= 0 && unpacked <= limits.rowGroupBytes))
      throw new Error(`a page takes more than ${limits.rowGroupBytes} bytes`);
    const { data_page_header: first, data_page_header_v2: second } = header;
    const own = (second ?? first)?.num_values ?? 0;
    values += own;
    if (!(own >= 0 && values <= mostValues)) throw new Error('its pages have more values than it');
    if (second !== undefined) assertLevels(second, size);
    assertRuns(new Uint8Array(chunk, start, size), header, pages);
    const known = header.dictionary_page_header?.num_values ?? 0;
    if (!(known >= 0 && known <= 8 * unpacked)) throw new Error('its dictionary has no end');
  }
}

type SecondHeader = NonNullable<ReturnType<typeof parquetHeader>['data_page_header_v2']>;

/** @throws Error if what a page of the second kind says of its levels cannot be */
function assertLevels(header: SecondHeader, size: number): void {
  const {
    num_values: values,
    num_nulls: nulls,
    num_rows: rows,
    definition_levels_byte_length: definition,
    repetition_levels_byte_length: repetition,
  } = header;
  const isSane = [nulls, rows, definition, repetition].every((each) => each >= 0);
  if (!isSane || nulls > values || definition + repetition > size)
    throw new Error('a page says what cannot be of its levels');
}

/**
 * Decodes one leaf of a nested column. hyparquet decodes all of a column's leaves at once, and
 * waits for one of them: if another fails meanwhile, nobody hears of it, and the process ends.
 *
 * @throws Error if it cannot be decoded
 */
export function assertDecodes(
  chunk: ArrayBuffer,
  column: ColumnMetaData,
  { schemaPath, rows, compressors }: LeafOf,
): void {
  const { path_in_schema: pathInSchema } = column;
  const element = schemaPath.at(-1)?.element;
  if (element === undefined) throw new Error('its schema does not name it');
  readColumn(
    { view: new DataView(chunk), offset: 0 },
    { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows },
    { pathInSchema, schemaPath, element, parsers: DEFAULT_PARSERS, compressors, ...column },
  );
}

/** The row group that a leaf is of, and its place in the schema. */
type LeafOf = {
  readonly schemaPath: ReturnType<typeof getTreePath>;
  readonly rows: number;
  readonly compressors: Compressors;
};
