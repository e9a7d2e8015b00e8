import { delimiterOf, toldDelimiter } from '../datasets/formats/csv.ts';
import { isOverRows, rowEnd } from '../datasets/formats/row-ends.ts';
import { newline } from '../datasets/formats/text-reader.ts';
import { invalid } from '../errors.ts';
import type { PlacedReason } from './send-file.ts';

/** A text file that somebody else writes on. */
export type GrowingFile = {
  readonly name: string;
  readonly size: () => Promise<number>;
  /** The bytes from `start` on, at most `most`. */
  readonly read: (start: number, most: number) => Promise<Uint8Array>;
  /** Whether another file stands in its place by now. */
  readonly isReplaced?: () => Promise<boolean>;
  /** The file that keeps how far it was followed. */
  readonly place?: string;
};

/** Of a file, what one message is made of at most. */
const blockBytes = 262_144;
/** The same of one row that is longer. */
const mostBlockBytes = 64 * blockBytes;

/** What a delimited file begins with, a line that tells its delimiter among it. */
export type Head = { readonly bytes: Buffer; readonly delimiter?: string; readonly width?: number };

/** The head of a file; undefined if it has not ended yet. */
export async function headOf(file: GrowingFile): Promise<Head | undefined> {
  const read = Buffer.from(await file.read(0, blockBytes));
  assertIsText(file.name, read);
  const mark = read.subarray(0, 3).equals(utf8Mark) ? utf8Mark.length : 0;
  if (!/\.(csv|tsv)$/i.test(file.name)) return { bytes: Buffer.alloc(0) };
  let start = mark;
  let told: string | undefined;
  for (;;) {
    const end = read.indexOf('\n', start) + 1;
    if (end === 0) return undefined;
    const line = read.toString('utf8', start, end).trim();
    const own = told === undefined ? toldDelimiter(line) : undefined;
    if (line !== '' && own === undefined) break;
    told ??= own;
    start = end;
  }
  const delimiter = told ?? delimiterOf(read.toString('utf8', start, read.indexOf('\n', start)));
  const end = rowEnd(read, start, delimiter);
  if (end < 0) return undefined;
  // (A cell that holds the delimiter is in quotes.)
  const bare = read.toString('utf8', start, end).replace(/"[^"]*"/g, '');
  return { bytes: read.subarray(0, end), delimiter, width: bare.split(delimiter).length };
}

const utf8Mark = Buffer.from([0xef, 0xbb, 0xbf]);

/** @throws MillraceError kind `invalid` if a file has no lines that can be followed */
function assertIsText(name: string, read: Buffer): void {
  const [first, second] = read;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw invalid(
      `${name}: a file of UTF-16 cannot be followed; write UTF-8, or send it as a whole`,
    );
  if (!read.includes('\n') && read.subarray(0, -1).includes('\r'))
    throw invalid(
      `${name}: its lines end in carriage returns alone; to be followed they must end in newlines`,
    );
}

/**
 * Whole rows of a file, at most `most`, up to a byte; undefined if none ended yet. What is behind
 * that byte is read too: whether a quote has an end is told by it.
 */
export async function rowsOf(
  file: GrowingFile,
  head: Head,
  { start, until }: { readonly start: number; readonly until: number },
  most: number,
): Promise<Buffer | undefined> {
  for (let sizeBytes = blockBytes; ; sizeBytes *= 4) {
    const read = Buffer.from(await file.read(start, sizeBytes));
    const end = endOfRows(read, head, Math.min(most, until), until - start);
    if (end > 0) return read.subarray(0, end);
    // (In a table, a return may stand in a cell that has not ended.)
    if (read.length < sizeBytes && head.delimiter === undefined) assertIsText(file.name, read);
    if (read.length < sizeBytes) return undefined;
    if (sizeBytes >= mostBlockBytes)
      throw invalid(`${file.name}: a line of over ${sizeBytes} bytes begins at byte ${start}`);
  }
}

/** The byte behind the last of some rows, at most `most`, that ends at `to` or before it. */
function endOfRows(read: Buffer, { delimiter, width = 0 }: Head, most: number, to: number): number {
  let end = 0;
  for (let count = 0; count < most && end < to; count++) {
    const line = read.indexOf('\n', end) + 1;
    if (line === 0) break;
    const next = delimiter === undefined ? line : rowEnd(read, end, delimiter);
    if (next > 0) end = next;
    // A quote without an end: its line is refused, and those behind it are read.
    else if (delimiter !== undefined && isOverRows(read, end, delimiter, width)) end = line;
    else break;
  }
  return end;
}

/** How many lines of a file end before a byte of it. */
export type Counted = { readonly end: number; readonly lines: number };

/**
 * How many lines of a file end before a byte.
 *
 * @param counted how many end before an earlier one
 */
export async function linesBefore(
  file: GrowingFile,
  end: number,
  counted: Counted,
): Promise<Counted> {
  let { lines } = counted;
  for (let start = counted.end; start < end; start += blockBytes)
    lines += newlinesIn(await file.read(start, Math.min(blockBytes, end - start)));
  return { end, lines };
}

/** How many lines end in some bytes. */
export function newlinesIn(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => count + Number(byte === newline), 0);
}

/** Lines of a part that cannot be read, by their places in the whole. */
export function placedBehind(lines: number, bad: readonly PlacedReason[]): readonly PlacedReason[] {
  return bad.map(({ line, reason }) => ({ line: line + lines, reason }));
}
