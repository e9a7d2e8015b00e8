import type { DataPageHeader, DecodedArray } from 'hyparquet';
import { readColumn } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { readDataPage } from 'hyparquet/src/datapage.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { type Leaf, type Page, pagesOf } from './parquet-pages.ts';
import { viewOf } from './parquet-runs.ts';

/**
 * The values of a column without columns below it, null where one is missing. hyparquet 1.31
 * itself makes lists of such a column as of a nested one, which takes several times as long.
 *
 * @param chunk all bytes of the column in a row group
 * @throws Error if it cannot be decoded
 */
export function flatColumn(chunk: ArrayBuffer, leaf: Leaf): ArrayLike<unknown> {
  const decoder = decoderOf(leaf);
  const { type, element } = decoder;
  let dictionary: readonly unknown[] | undefined;
  const pages: DecodedArray[] = [];
  for (const page of pagesOf(chunk, leaf)) {
    if (page.kind === 'dictionary') {
      const reader = { view: viewOf(page.values), offset: 0 };
      const known = readPlain(reader, type, page.count, element.type_length);
      // Each look into an array of 64-bit integers would make one of them anew.
      dictionary = Array.from(convert(known, decoder));
    } else pages.push(valuesOf(page, decoder, dictionary));
  }
  return joined(pages);
}

/**
 * Looks at a leaf of a nested column, which hyparquet decodes. It decodes all of a column's leaves
 * at once, and waits for one of them: if another fails meanwhile, nobody hears of it, and the
 * process ends.
 *
 * @param isOneOfMany whether the column has other leaves
 * @throws Error if it cannot be decoded
 */
export function assertDecodes(chunk: ArrayBuffer, leaf: Leaf, isOneOfMany: boolean): void {
  for (const _ of pagesOf(chunk, leaf));
  const { rows } = leaf;
  const range = { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows };
  if (isOneOfMany) readColumn({ view: new DataView(chunk), offset: 0 }, range, decoderOf(leaf));
}

function decoderOf({ schemaPath, column, compressors }: Leaf) {
  const element = schemaPath.at(-1)?.element;
  if (element === undefined) throw new Error('its schema does not name it');
  const { path_in_schema: pathInSchema } = column;
  return { ...column, pathInSchema, schemaPath, element, parsers: DEFAULT_PARSERS, compressors };
}

type Decoder = ReturnType<typeof decoderOf>;

function valuesOf(
  { definition, count, encoding, values: bytes }: Page,
  decoder: Decoder,
  dictionary: readonly unknown[] | undefined,
): DecodedArray {
  // 1 where there is a value: nothing else can be missing of a column that is not nested.
  const isThere = new Uint8Array(definition.length === 0 ? 0 : count);
  readRleBitPackedHybrid({ view: viewOf(definition), offset: 0 }, 1, isThere, definition.length);
  const there = definition.length === 0 ? count : isThere.reduce((sum, each) => sum + each, 0);
  const values = encoding.endsWith('_DICTIONARY')
    ? lookedUp(bytes, there, dictionary)
    : decoded(bytes, { num_values: there, encoding, ...levelEncodings }, decoder);
  if (there === count) return values;
  let next = 0;
  return Array.from(isThere, (one) => (one === 1 ? values[next++] : null));
}

const levelEncodings = {
  definition_level_encoding: 'RLE',
  repetition_level_encoding: 'RLE',
} as const;

/** Values as they are in a page behind its levels. */
function decoded(bytes: Uint8Array, header: DataPageHeader, decoder: Decoder): DecodedArray {
  // Without levels it is a page of a column in which nothing is missing.
  const { dataPage } = readDataPage(bytes, header, { ...decoder, schemaPath: [] });
  return convert(dataPage, decoder);
}

/**
 * Values that are told by their places in a dictionary.
 *
 * @param bytes the bits of a place, and the places
 * @throws Error if a place is none of the dictionary's
 */
function lookedUp(
  bytes: Uint8Array,
  count: number,
  dictionary: readonly unknown[] = [],
): DecodedArray {
  const [bits = 0] = bytes;
  const places = new Uint32Array(count);
  if (bits > 0)
    readRleBitPackedHybrid({ view: viewOf(bytes), offset: 1 }, bits, places, bytes.length - 1);
  const values = new Array<unknown>(count);
  const known = dictionary.length;
  places.forEach((place, i) => {
    if (place >= known) throw new Error(`it asks for value ${place} of a dictionary of ${known}`);
    values[i] = dictionary[place];
  });
  return values;
}

/** Values of pages, one after another: numbers of one kind stay such. */
function joined(pages: readonly DecodedArray[]): ArrayLike<unknown> {
  const [first] = pages;
  if (pages.length === 1 && first !== undefined) return first;
  const count = pages.reduce((sum, page) => sum + page.length, 0);
  if (pages.every((page) => page instanceof BigInt64Array))
    return filled(new BigInt64Array(count), pages);
  if (pages.every((page) => page instanceof Float64Array))
    return filled(new Float64Array(count), pages);
  if (pages.every((page) => page instanceof Float32Array))
    return filled(new Float32Array(count), pages);
  if (pages.every((page) => page instanceof Int32Array))
    return filled(new Int32Array(count), pages);
  const values = new Array<unknown>(count);
  let at = 0;
  for (const page of pages) for (let i = 0; i < page.length; i++) values[at++] = page[i];
  return values;
}

function filled<Numbers extends { set: (numbers: Numbers, at: number) => void; length: number }>(
  whole: Numbers,
  pages: readonly Numbers[],
): Numbers {
  let at = 0;
  for (const page of pages) {
    whole.set(page, at);
    at += page.length;
  }
  return whole;
}
