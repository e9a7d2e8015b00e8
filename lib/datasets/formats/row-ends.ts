import { newline, space, tab } from './text-reader.ts';

const quote = 34;

/**
 * The byte behind a row of delimited text, whose cells may go over several lines; −1 where it has
 * not ended yet.
 *
 * @param from where it begins
 */
export function rowEnd(bytes: Buffer, from: number, delimiter: string): number {
  const separator = delimiter.charCodeAt(0);
  let [isOpen, isStart] = [false, true];
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isOpen) {
      // (Twice, it stands for itself.)
      if (byte !== quote) continue;
      if (bytes[at + 1] === quote) at += 1;
      else isOpen = false;
    } else if (byte === newline) return at + 1;
    else if (byte === quote && isStart) isOpen = true;
    else isStart = byte === separator || (isStart && (byte === space || byte === tab));
  }
  return -1;
}

/** So many lines behind the first of a row that has not ended are looked at. */
const lookedAt = 4;

/**
 * Whether what began as a row goes on over lines that all are rows: the quote before them has no
 * end.
 */
export function isOverRows(bytes: Buffer, from: number, delimiter: string, width: number): boolean {
  const [, ...behind] = bytes
    .subarray(from)
    .toString('utf8')
    .split('\n', lookedAt + 2);
  // (What is behind the last line end is no line yet.)
  const lines = behind.slice(0, lookedAt);
  const areRows = lines.every((line) => line.split(delimiter).length === width);
  return width > 1 && behind.length > lookedAt && areRows;
}
