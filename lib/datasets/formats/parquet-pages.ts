import type { ColumnMetaData, Compressors } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import {
  getMaxDefinitionLevel,
  getMaxRepetitionLevel,
  type getTreePath,
} from 'hyparquet/src/schema.js';
import { limits } from '../../limits.ts';
import { assertRuns, viewOf } from './parquet-runs.ts';
import { assertStruct } from './parquet-thrift.ts';

/** A leaf of a file's schema in one of its row groups. */
export type Leaf = {
  /** From the schema's root down to the leaf. */
  readonly schemaPath: ReturnType<typeof getTreePath>;
  readonly column: ColumnMetaData;
  readonly compressors: Compressors;
  /** Rows of the row group. */
  readonly rows: number;
};

/** A page, unpacked. */
export type Page = {
  readonly kind: 'data' | 'dictionary';
  readonly encoding: NonNullable<Header['data_page_header']>['encoding'];
  /** How many values it says that it has; in data, those that are missing are among them. */
  readonly count: number;
  /** Runs of definition levels; none where each value is there. */
  readonly definition: Uint8Array;
  readonly values: Uint8Array;
};

type Header = ReturnType<typeof parquetHeader>;

/**
 * The pages of a leaf. Each is looked at before it is unpacked and before it is handed on:
 * hyparquet 1.31 goes where headers say, without end if one says less than nothing.
 *
 * @param chunk all bytes of the leaf in the row group
 * @throws Error if a page is larger than the file says, or ends behind its column, or a run of
 *   values behind its page
 */
export function* pagesOf(chunk: ArrayBuffer, leaf: Leaf): Generator<Page> {
  const reader = { view: new DataView(chunk), offset: 0 };
  const { byteLength } = reader.view;
  const mostValues = Number(leaf.column.num_values);
  let values = 0;
  let hasDictionary = false;
  while (reader.offset < byteLength - 1) {
    assertStruct(reader.view, reader.offset);
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
    const known = header.dictionary_page_header?.num_values;
    if (known !== undefined) {
      if (hasDictionary) throw new Error('it has more than one dictionary');
      hasDictionary = true;
      if (!(known >= 0 && known <= 8 * unpacked && known <= Math.max(mostValues, largeDictionary)))
        throw new Error(`its dictionary of ${known} values has no end`);
    }
    yield pageOf(new Uint8Array(chunk, start, size), header, leaf);
  }
}

/** Writers may put values into a dictionary that the row group has not: so many, say. */
const largeDictionary = 2 ** 20;

type SecondHeader = NonNullable<Header['data_page_header_v2']>;

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

/** @throws Error if it cannot be unpacked, or a run is longer than it */
function pageOf(bytes: Uint8Array, header: Header, leaf: Leaf): Page {
  const {
    data_page_header: first,
    data_page_header_v2: second,
    dictionary_page_header: dictionary,
  } = header;
  const { codec } = leaf.column;
  const unpack = (packed: Uint8Array, size: number) =>
    decompressPage(packed, size, codec, leaf.compressors);
  const size = header.uncompressed_page_size;
  if (dictionary !== undefined) {
    const { encoding, num_values: count } = dictionary;
    const values = unpack(bytes, size);
    return { kind: 'dictionary', encoding, count, definition: noBytes, values };
  }
  if (second !== undefined) {
    const from = second.repetition_levels_byte_length;
    const to = from + second.definition_levels_byte_length;
    const [repetition, definition] = [bytes.subarray(0, from), bytes.subarray(from, to)];
    const packed = bytes.subarray(to);
    const values = second.is_compressed === false ? packed : unpack(packed, size - to);
    return checked({ ...second, count: second.num_values, repetition, definition, values }, leaf);
  }
  if (first === undefined) throw new Error(`it has a page of the kind ${header.type}`);
  const page = unpack(bytes, size);
  let from = 0;
  const [repetition = noBytes, definition = noBytes] = levelBitsOf(leaf).map((bits) => {
    if (bits === 0) return noBytes;
    const start = from + 4;
    from = start + viewOf(page).getUint32(from, true);
    return page.subarray(start, from);
  });
  const values = page.subarray(from);
  return checked({ ...first, count: first.num_values, repetition, definition, values }, leaf);
}

const noBytes = new Uint8Array();

/** Bits of a repetition level and of a definition level; 0 where there are none. */
function levelBitsOf({ schemaPath }: Leaf): readonly [repetition: number, definition: number] {
  const bits = (most: number) => 32 - Math.clz32(most);
  return [bits(getMaxRepetitionLevel(schemaPath)), bits(getMaxDefinitionLevel(schemaPath))];
}

/** @throws Error if a run is longer than the page */
function checked(
  {
    encoding,
    count,
    repetition,
    definition,
    values,
  }: Omit<Page, 'kind'> & { repetition: Uint8Array },
  leaf: Leaf,
): Page {
  const [repetitionBits, definitionBits] = levelBitsOf(leaf);
  assertRuns({ bytes: repetition, bits: repetitionBits }, count);
  assertRuns({ bytes: definition, bits: definitionBits }, count);
  if (encoding === undefined) throw new Error('a page has an encoding that is not known');
  const isTruth = leaf.column.type === 'BOOLEAN';
  const isCoded = encoding.endsWith('_DICTIONARY');
  // (hyparquet reads them as if there were none.)
  if (isTruth && isCoded && leaf.schemaPath.length > 2)
    throw new Error('true and false are told by a dictionary');
  // Of truths the length of the runs is said first, of others the bits of each.
  if (encoding === 'RLE' && isTruth) assertRuns({ bytes: values.subarray(4), bits: 1 }, count);
  else if (encoding === 'RLE' || isCoded)
    assertRuns({ bytes: values.subarray(1), bits: values[0] ?? 0 }, count);
  return { kind: 'data', encoding, count, definition, values };
}
