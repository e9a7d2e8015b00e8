import { parse } from 'csv-parse/sync';
import fc from 'fast-check';

const white = [' ', '\t', '\f', '\v', '\u00a0', '\u2003', '\u2028'];
const usual = fc.constantFrom('a', 'é', "'", '#', '\\', ...white, ',', ',', '\n', '\r\n', '\r');
const hostile = fc.constantFrom('"', '""', '"a', 'a"', '"a" ', ' "a"', '"a"b', '\ufeff');
const texts = (char: fc.Arbitrary<string>) =>
  fc.array(char, { maxLength: 5 }).map((chars) => chars.join(''));
const quoted = texts(fc.oneof(usual, fc.constant('""'))).map((content) => `"${content}"`);

const cell = fc.oneof(
  { weight: 20, arbitrary: texts(usual.filter((char) => !/[,\n\r]/.test(char))) },
  { weight: 10, arbitrary: quoted },
  { weight: 1, arbitrary: hostile },
);

const line = (minLength: number, maxLength: number) =>
  fc
    .tuple(
      fc.array(cell, { minLength, maxLength }),
      fc.constantFrom('\n', '\n', '\n', '\r\n', '\r\n', '\r'),
    )
    .map(([cells, end]) => cells.join() + end);

/** Delimited texts, most of whose lines are regular, and have `least` to `most` cells. */
export const delimitedText = (least: number, most: number) =>
  fc
    .record({
      lines: fc.array(line(least, most), { size: 'max', maxLength: 20 }),
      delimiter: fc.constantFrom(',', ';', '\t'),
    })
    .map(({ lines, delimiter }) => ({
      bytes: Buffer.from(lines.join('').replaceAll(',', delimiter)),
      delimiter,
    }));

/** The records of a text, and where each ends, as the parser finds them. */
export function parsedRecords(text: Buffer, delimiter: string) {
  return parse(text, {
    delimiter,
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    trim: true,
    record_delimiter: ['\r\n', '\n', '\r'],
  }) as unknown as { readonly record: string[]; readonly info: { readonly bytes: number } }[];
}
