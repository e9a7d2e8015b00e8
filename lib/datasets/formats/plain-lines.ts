import { isAscii } from 'node:buffer';

const newline = 10;
const quote = 34;

/** A record of a delimited text: its cells, and where it ends in the bytes that were parsed. */
export type ParsedRecord = { readonly cells: readonly string[]; readonly bytes: number };

/**
 * The records that some bytes of a delimited text begin with, as far as they end there. Most texts
 * have no quotes for pages, and then a line is a record, which is found many times as fast as the
 * parser would. None if the bytes have a quote or anything else that needs the parser.
 */
export function plainRecords(bytes: Buffer, delimiter: string): readonly ParsedRecord[] {
  const whole = bytes.subarray(0, bytes.lastIndexOf(newline) + 1);
  if (whole.includes(quote)) return [];
  const isBytes = isAscii(whole);
  const text = whole.toString(isBytes ? 'latin1' : 'utf8');
  // It is white to JavaScript, and not to the parser.
  if (!isBytes && text.includes('\ufeff')) return [];
  const records: ParsedRecord[] = [];
  let [start, end] = [0, 0];
  for (const { 0: lineEnd, index } of text.matchAll(text.includes('\r') ? anyEnd : /\n/g)) {
    const line = text.slice(start, index);
    start = index + lineEnd.length;
    end += (isBytes ? line.length : Buffer.byteLength(line)) + lineEnd.length;
    const cells = line.split(delimiter).map(trimmed);
    if (cells.length > 1 || cells[0] !== '') records.push({ cells, bytes: end });
  }
  return records;
}

const anyEnd = /\r\n|\n|\r/g;

function trimmed(cell: string): string {
  return cell.trim();
}
