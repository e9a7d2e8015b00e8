import type { DecodedArray, SchemaElement, SchemaTree } from 'hyparquet';
import { readColumn } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { readDataPage } from 'hyparquet/src/datapage.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { limits } from '../../limits.ts';
import { textOfBytes } from './byte-text.ts';
import { type GroupValues, lengthOf, valueAt } from './format.ts';
import { type Leaf, type Page, pagesOf } from './parquet-pages.ts';
import { isRunOfOnes, viewOf } from './parquet-runs.ts';

/**
 * The values of a column without columns below it, null where one is missing; by their places where
 * all are told by a dictionary. hyparquet 1.31 itself makes lists of such a column as of a nested
 * one, which takes several times as long.
 *
 * @param chunk all bytes of the column in a row group
 * @throws Error if it cannot be decoded
 */
export function flatColumn(chunk: ArrayBuffer, leaf: Leaf): GroupValues {
  const decoder = decoderOf(leaf);
  const { type, element } = decoder;
  let dictionary: readonly unknown[] = [null];
  const pages: GroupValues[] = [];
  for (const page of pagesOf(chunk, leaf)) {
    if (page.kind === 'dictionary') {
      const reader = { view: viewOf(page.values), offset: 0 };
      const known = readPlain(reader, type, page.count, element.type_length);
      // Each look into an array of 64-bit integers would make one of them anew. What is behind the
      // last is missing.
      dictionary = [...Array.from(converted(known, decoder)), null];
    } else if (page.encoding.endsWith('_DICTIONARY'))
      pages.push({ places: placesOf(page, dictionary.length - 1), known: dictionary });
    else pages.push(valuesOf(page, decoder));
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

/** How bytes become texts that are not said to be such. */
const ofBytes: typeof DEFAULT_PARSERS = {
  ...DEFAULT_PARSERS,
  stringFromBytes: (bytes) => bytes && textOfBytes(bytes),
};

function decoderOf({ schemaPath, column, compressors }: Leaf) {
  const element = schemaPath.at(-1)?.element;
  if (element === undefined) throw new Error('its schema does not name it');
  const { path_in_schema: pathInSchema } = column;
  const isText = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING';
  const parsers = isText ? DEFAULT_PARSERS : ofBytes;
  return { ...column, pathInSchema, schemaPath, element, parsers, compressors };
}

type Decoder = ReturnType<typeof decoderOf>;

/**
 * What values mean. (hyparquet 1.31 makes 57 of two decimals 57 · 10⁻², which is not 0.57: no
 * float64 is a hundredth.)
 */
function converted(values: DecodedArray, decoder: Decoder): DecodedArray {
  const decimals = decimalsOf(decoder.element);
  if (decimals === undefined) return convert(values, decoder);
  return Array.from(values, (value: unknown) => {
    const whole = value instanceof Uint8Array ? signed(value) : value;
    const number = Number(whole);
    const isExact = Number.isSafeInteger(number) && decimals <= mostExactPower;
    return isExact ? number / 10 ** decimals : Number(`${whole}e-${decimals}`);
  });
}

/** How many decimals the values of a column have; undefined of others. */
export function decimalsOf({ converted_type: type, logical_type: logical, scale }: SchemaElement) {
  if (logical?.type === 'DECIMAL') return logical.scale;
  return type === 'DECIMAL' ? (scale ?? 0) : undefined;
}

/** Powers of ten up to this one are float64 to the last bit, so that a quotient is rounded once. */
const mostExactPower = 22;

/** A whole number of two's complement, its highest byte first. */
function signed(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

/** How many values of a page are there, and which, 1 or 0 for each, unless all are. */
function presenceOf({ definition, count }: Page): {
  readonly there: number;
  readonly isThere?: Uint8Array;
} {
  if (definition.length === 0 || isRunOfOnes(definition, count)) return { there: count };
  // Nothing else can be missing of a column that is not nested: a level has one bit.
  const isThere = new Uint8Array(count);
  readRleBitPackedHybrid({ view: viewOf(definition), offset: 0 }, 1, isThere, definition.length);
  const there = isThere.reduce((sum, each) => sum + each, 0);
  return there === count ? { there } : { there, isThere };
}

function valuesOf(page: Page, decoder: Decoder): DecodedArray {
  const { encoding, values: bytes } = page;
  const { there, isThere } = presenceOf(page);
  if (encoding === 'DELTA_BYTE_ARRAY') assertTexts(bytes, there);
  // Without levels it is a page of a column in which nothing is missing.
  const header = { num_values: there, encoding, ...levelEncodings };
  const { dataPage } = readDataPage(bytes, header, { ...decoder, schemaPath: [] });
  const values = converted(dataPage, decoder);
  if (isThere === undefined) return values;
  let next = 0;
  return Array.from(isThere, (one) => (one === 1 ? values[next++] : null));
}

/**
 * Looks at texts that each begin as the one before before they are put together.
 *
 * @throws Error if together they are longer than a row group may be
 */
function assertTexts(bytes: Uint8Array, count: number): void {
  const reader = { view: viewOf(bytes), offset: 0 };
  let length = 0;
  // How much each has of the one before, and then how much it adds.
  for (let part = 0; part < 2; part++) {
    const lengths = new Int32Array(count);
    deltaBinaryUnpack(reader, count, lengths);
    length = lengths.reduce((sum, own) => sum + own, length);
  }
  if (length > limits.rowGroupBytes)
    throw new Error(`its texts have ${length} bytes, and ${limits.rowGroupBytes} are allowed`);
}

const levelEncodings = {
  definition_level_encoding: 'RLE',
  repetition_level_encoding: 'RLE',
} as const;

/**
 * The places of a page's values in a dictionary; of one that is missing the place behind the last.
 *
 * @param known how many the dictionary has
 * @throws Error if a place is none of the dictionary's
 */
function placesOf(page: Page, known: number): Uint32Array {
  const { values: bytes } = page;
  const { there, isThere } = presenceOf(page);
  // First the bits of a place, and then the places.
  const [bits = 0] = bytes;
  const places = new Uint32Array(there);
  if (bits > 0)
    readRleBitPackedHybrid({ view: viewOf(bytes), offset: 1 }, bits, places, bytes.length - 1);
  // (By their places: an iterator takes three times as long.)
  for (let i = 0; i < there; i++) {
    const place = places[i] ?? 0;
    if (place >= known) throw new Error(`it asks for value ${place} of a dictionary of ${known}`);
  }
  if (isThere === undefined) return places;
  let next = 0;
  return Uint32Array.from(isThere, (one) => (one === 1 ? (places[next++] ?? known) : known));
}

/** Values of pages, one after another: places stay such, and numbers of one kind. */
function joined(pages: readonly GroupValues[]): GroupValues {
  const [first] = pages;
  if (pages.length === 1 && first !== undefined) return first;
  const coded = pages.filter((page) => 'known' in page);
  const count = pages.reduce((sum, page) => sum + lengthOf(page), 0);
  if (coded.length === pages.length && first !== undefined && 'known' in first) {
    const places = coded.map((page) => page.places);
    return { places: filled(new Uint32Array(count), places), known: first.known };
  }
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
  for (const page of pages)
    for (let i = 0; i < lengthOf(page); i++) values[at++] = valueAt(page, i);
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

/** Whether a column has bytes of a fixed length; those that have a meaning are read by it. */
export function isPlainBytes({ children }: SchemaTree, name: string): boolean {
  const { element } = children.find((child) => child.element.name === name) ?? {};
  return (
    element?.type === 'FIXED_LEN_BYTE_ARRAY' &&
    element.logical_type === undefined &&
    element.converted_type === undefined
  );
}

/** Bytes without a type are texts, as they are in Arrow. */
export function asTexts(values: GroupValues): GroupValues {
  return 'known' in values
    ? { ...values, known: values.known.map(textOf) }
    : Array.from(values, textOf);
}

function textOf(value: unknown): unknown {
  return value instanceof Uint8Array ? textOfBytes(value) : value;
}
