import { carriageReturn, newline, space, tab } from './text-reader.ts';

/** The byte around cells that are quoted. */
export const quote = 34;

/** What a byte is to a cell without quotes: a part of it up to `edge`, or what it ends before. */
export const kindOfByte = {
  part: 0,
  /** A part, but for white space at its edges: that, and what may be such beyond ASCII. */
  edge: 1,
  delimiter: 2,
  newline: 3,
  carriageReturn: 4,
  quote: 5,
} as const;

const kindsByDelimiter = new Map<number, Uint8Array>();

/** Of each byte, its kind. (Small files have tables as often.) */
export function kindsOfBytes(delimiter: number): Uint8Array {
  const known = kindsByDelimiter.get(delimiter);
  if (known !== undefined) return known;
  const kinds = Uint8Array.from({ length: 256 }, (_, byte) =>
    byte >= 0x80 || isWhite(byte) ? kindOfByte.edge : kindOfByte.part,
  );
  kinds[newline] = kindOfByte.newline;
  kinds[carriageReturn] = kindOfByte.carriageReturn;
  kinds[quote] = kindOfByte.quote;
  kinds[delimiter] = kindOfByte.delimiter;
  kindsByDelimiter.set(delimiter, kinds);
  return kinds;
}

/** Whether a byte is white space of ASCII. */
export function isWhite(byte = 0): boolean {
  return byte <= space && (byte === space || (byte >= tab && byte <= carriageReturn));
}
