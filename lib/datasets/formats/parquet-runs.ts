import type { ColumnMetaData, Compressors } from 'hyparquet';
import type { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import {
  getMaxDefinitionLevel,
  getMaxRepetitionLevel,
  type getTreePath,
} from 'hyparquet/src/schema.js';

/** A column's pages, as far as is to be known of them to look into one. */
export type PagesOf = {
  readonly codec: ColumnMetaData['codec'];
  readonly type: ColumnMetaData['type'];
  readonly compressors: Compressors;
  /** Bits of a repetition level and of a definition level; 0 where there are none. */
  readonly levelBits: readonly [repetition: number, definition: number];
};

/** The pages of a leaf. */
export function pagesOf(
  schemaPath: ReturnType<typeof getTreePath>,
  { codec, type }: ColumnMetaData,
  compressors: Compressors,
): PagesOf {
  const bits = (most: number) => 32 - Math.clz32(most);
  const levels = [getMaxRepetitionLevel(schemaPath), getMaxDefinitionLevel(schemaPath)] as const;
  return { codec, type, compressors, levelBits: [bits(levels[0]), bits(levels[1])] };
}

type Header = ReturnType<typeof parquetHeader>;

/** Bytes of numbers from a place on, up to an end. */
type Stretch = { readonly view: DataView; readonly from: number; readonly to: number };

/** Writers may fill up a last run: a page may say a little more than it has. */
const surplus = 65_536;

/**
 * Looks at the runs of a page before they are written out: hyparquet 1.31 repeats a value as often
 * as a run says, whatever the page has.
 *
 * @param bytes the page, as it is stored
 * @throws Error if a run is longer than the page, or the page cannot be unpacked
 */
export function assertRuns(bytes: Uint8Array, header: Header, pages: PagesOf): void {
  const { data_page_header: first, data_page_header_v2: second } = header;
  const { encoding, num_values: values = 0 } = second ?? first ?? {};
  const isOfRuns =
    encoding === 'RLE' || encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY';
  const { codec, compressors, levelBits, type } = pages;
  const unpack = (packed: Uint8Array, size: number) =>
    viewOf(decompressPage(packed, size, codec, compressors));
  const isTruth = type === 'BOOLEAN';
  const assertValues = (view: DataView, from: number) => {
    if (!isOfRuns || from >= view.byteLength) return;
    const [width, start] = isTruth ? [1, from + 4] : [view.getUint8(from), from + 1];
    assertSums({ view, from: start, to: view.byteLength }, width, values);
  };
  if (second !== undefined) {
    const lengths = [
      second.repetition_levels_byte_length,
      second.definition_levels_byte_length,
    ] as const;
    let from = 0;
    lengths.forEach((length, i) => {
      const to = from + length;
      if (length > 0) assertSums({ view: viewOf(bytes), from, to }, levelBits[i] ?? 0, values);
      from = to;
    });
    const packed = bytes.subarray(from);
    const size = header.uncompressed_page_size - from;
    if (isOfRuns)
      assertValues(second.is_compressed === false ? viewOf(packed) : unpack(packed, size), 0);
    return;
  }
  if (first === undefined || (!isOfRuns && levelBits.every((bits) => bits === 0))) return;
  const view = unpack(bytes, header.uncompressed_page_size);
  let from = 0;
  for (const bits of levelBits) {
    if (bits === 0) continue;
    const to = from + 4 + view.getUint32(from, true);
    assertSums({ view, from: from + 4, to: Math.min(to, view.byteLength) }, bits, values);
    from = to;
  }
  assertValues(view, from);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** @throws Error if runs, or groups of eight that are packed, say more values than there are */
function assertSums({ view, from, to }: Stretch, width: number, values: number): void {
  for (let [at, seen] = [from, 0]; seen < values && at < to; ) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++);
      header |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const isPacked = (header & 1) === 1;
    const count = isPacked ? (header >>> 1) * 8 : header >>> 1;
    if (count > values + surplus)
      throw new Error(`a run of ${count} values in a page of ${values}`);
    seen += count;
    at += isPacked ? (header >>> 1) * width : Math.ceil(width / 8);
  }
}
