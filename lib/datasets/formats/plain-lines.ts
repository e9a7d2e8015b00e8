import { isAscii } from 'node:buffer';
import { newline } from './text-reader.ts';

/** A record of a delimited text: its cells, and where it ends in the bytes that were parsed. */
export type ParsedRecord = { readonly cells: readonly string[]; readonly bytes: number };

/**
 * The records that some bytes of a delimited text begin with, as far as they end there, and as far
 * as they are regular: a cell is quoted as a whole or has no quote. Those are found many times as
 * fast as the parser would. None if the first of them needs the parser.
 */
export function plainRecords(bytes: Buffer, delimiter: string): readonly ParsedRecord[] {
  const whole = bytes.subarray(0, bytes.lastIndexOf(newline) + 1);
  const isBytes = isAscii(whole);
  const text = whole.toString(isBytes ? 'latin1' : 'utf8');
  // It is white to JavaScript, and not to the parser.
  if (!isBytes && text.includes('\ufeff')) return [];
  const lineEnd = text.includes('\r') ? anyEnd : newlineAlone;
  const sizeOf = (part: string) => (isBytes ? part.length : Buffer.byteLength(part));
  const records: ParsedRecord[] = [];
  let quote = text.indexOf('"');
  for (let start = 0, end = 0; start < text.length; ) {
    lineEnd.lastIndex = start;
    const found = lineEnd.exec(text);
    if (found === null) break;
    let next = lineEnd.lastIndex;
    let cells: readonly string[];
    let isEmpty = false;
    if (quote >= 0 && quote < start) quote = text.indexOf('"', start);
    if (quote >= 0 && quote < found.index) {
      const record = quotedRecord(text, start, delimiter);
      if (record === undefined) break;
      ({ cells, next } = record);
    } else {
      const line = text.slice(start, found.index);
      cells = line.split(delimiter).map(trimmed);
      isEmpty = cells.length === 1 && cells[0] === '';
    }
    end += sizeOf(text.slice(start, next));
    if (!isEmpty) records.push({ cells, bytes: end });
    start = next;
  }
  return records;
}

const newlineAlone = /\n/g;
const anyEnd = /\r\n|\n|\r/g;

/** A record with quoted cells, and where the next one begins; undefined unless it is regular. */
function quotedRecord(
  text: string,
  start: number,
  delimiter: string,
): { readonly cells: readonly string[]; readonly next: number } | undefined {
  const cells: string[] = [];
  for (let at = start; ; at += 1) {
    if (text[at] === '"') {
      let cell = '';
      for (let from = at + 1; ; from = at + 1) {
        at = text.indexOf('"', from);
        if (at < 0) return undefined;
        cell += text.slice(from, at);
        at += 1;
        if (text[at] !== '"') break;
        cell += '"';
      }
      cells.push(cell);
    } else {
      const from = at;
      while (text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') {
        if (text[at] === '"') return undefined;
        at += 1;
      }
      cells.push(text.slice(from, at).trim());
    }
    const end = text[at];
    if (end === '\n') return { cells, next: at + 1 };
    if (end === '\r') return { cells, next: at + (text[at + 1] === '\n' ? 2 : 1) };
    if (end !== delimiter) return undefined;
  }
}

function trimmed(cell: string): string {
  return cell.trim();
}
