import { carriageReturn, newline, space, tab } from './text-reader.ts';

/** The byte around cells that are quoted. */
export const quote = 34;

const endsByDelimiter = new Map<number, Uint8Array>();

/** Of each byte, 1 if a cell without quotes ends before it. (Small files have tables as often.) */
export function endsOfCells(delimiter: number): Uint8Array {
  const known = endsByDelimiter.get(delimiter);
  if (known !== undefined) return known;
  const ends = new Uint8Array(256);
  for (const byte of [newline, carriageReturn, quote, delimiter]) ends[byte] = 1;
  endsByDelimiter.set(delimiter, ends);
  return ends;
}

/** Whether a byte is white space of ASCII. */
export function isWhite(byte = 0): boolean {
  return byte <= space && (byte === space || (byte >= tab && byte <= carriageReturn));
}
