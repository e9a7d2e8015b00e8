import { cellsOf, cellsSchema } from '../features/cells.ts';
import { withDecimalPoint } from '../features/decimal-comma.ts';
import { type NumberStyle, numberStyles, unitOf } from '../features/written-number.ts';
import { listNames } from '../parse.ts';
import type { Column } from './column-profile.ts';
import { areCodes, hasWrittenNumbers, reasonToLeave } from './draft-feature.ts';
import { isTime } from './draft-times.ts';

const usual = cellsSchema.parse({});

/** Columns, where numbers of some are read as they are written. */
export type AsWritten = {
  readonly columns: ReadonlyMap<string, Column>;
  /** How they are written, if otherwise than 1234.5. */
  readonly numbers?: NumberStyle;
};

/**
 * Takes columns whose numbers have signs of thousands, of money or of percent for columns of
 * numbers, where all are written in one way that leaves other columns what they are.
 */
export function readAsWritten(columns: ReadonlyMap<string, Column>, doubts: string[]): AsWritten {
  const written = [...columns.values()].filter(hasSomeWritten);
  if (written.length === 0) return { columns };
  const plain = [...columns.values()].filter(
    (column) => !written.includes(column) && column.numbers > 0 && !reasonToLeave(column),
  );
  const [best] = numberStyles
    .map((style) => ({ style, number: readerOf(style) }))
    .filter(
      ({ number }) =>
        written.every((column) => isReadBy(number, column)) &&
        plain.every((column) => isReadAlike(number, column)),
    )
    .sort((a, b) => oddFractions(a.style, written) - oddFractions(b.style, written));
  if (best === undefined) return { columns };
  const { style: numbers, number } = best;
  const [first] = written.flatMap(wordsOf);
  const read = first === undefined ? '' : `, so ${JSON.stringify(first)} is ${number(first)}`;
  doubts.push(
    `${listNames(written.map(({ name }) => name))}: numbers are read like ${numbers}${read} ` +
      `("cells": {"numbers": "${numbers}"})`,
    ...written.flatMap((column) => [
      ...unitDoubts(column),
      ...(oddFractions(numbers, [column]) === 1 ? [fractionDoubt(column, number)] : []),
    ]),
  );
  return {
    numbers,
    columns: new Map(
      [...columns].map(([name, column]) => [
        name,
        written.includes(column) ? withNumbers(column, number) : column,
      ]),
    ),
  };
}

/** Where numbers of a column are of several moneys, or some are percent. */
function unitDoubts({ name, values }: Column): readonly string[] {
  const units = new Set([...values.keys()].map(unitOf).filter((unit) => unit !== ''));
  if (units.size < 2) return [];
  return [
    `${name}: ${listNames([...units])} are alike to a model; if amounts differ by them, make them so`,
  ];
}

/** All fractions have three digits: they may be thousands. */
function fractionDoubt({ name, values }: Column, number: TextReader): string {
  const [first = ''] = [...values.keys()].filter((text) => /[.,]\d{3}(?!\d)/.test(text));
  return (
    `${name}: ${JSON.stringify(first)} is read as ${number(first)}, as other columns are written; ` +
    'if its points or commas are of thousands, leave them out'
  );
}

/** What a text is as a number. */
type TextReader = (text: string) => number | undefined;

function readerOf(style: NumberStyle): TextReader {
  return cellsOf({ ...usual, numbers: style }).number;
}

/** Whether most values are numbers, and some are written otherwise than 1234.5. */
function hasSomeWritten(column: Column): boolean {
  return hasWrittenNumbers(column, 0) && !areCodes(column) && !isTime(column);
}

/** Texts that the usual way to read numbers does not read. */
function wordsOf(column: Column): readonly string[] {
  const plain = readerOfPlain(column);
  return [...column.values.keys()].filter((text) => plain(text) === undefined);
}

function readerOfPlain(column: Column): TextReader {
  const { number } = cellsOf(usual);
  return (text) => number(withDecimalPoint(text, column));
}

/** Whether a way to read numbers reads all that look like some. */
function isReadBy(number: TextReader, column: Column): boolean {
  return countRead(number, column) >= column.numbers + column.writtenNumbers;
}

function countRead(number: TextReader, { values }: Column): number {
  let read = 0;
  for (const [text, count] of values) if (number(text) !== undefined) read += count;
  return read;
}

/** Whether numbers stay what they are without it. */
function isReadAlike(number: TextReader, column: Column): boolean {
  const plain = readerOfPlain(column);
  return [...column.values.keys()].every((text) => {
    const before = plain(text);
    return before === undefined || number(text) === before;
  });
}

/** The share of fractions that have three digits: they are rather thousands. */
function oddFractions(style: NumberStyle, columns: readonly Column[]): number {
  const point = style.at(-2) ?? '';
  const fractions = columns.flatMap(({ values }) =>
    [...values.keys()].flatMap((text) => {
      const [, rest] = text.replace(/[^\d.,]+$/, '').split(point);
      return rest === undefined ? [] : [rest.length];
    }),
  );
  return fractions.filter((length) => length === 3).length / Math.max(1, fractions.length);
}

function withNumbers(column: Column, numberOf: TextReader): Column {
  const numbers = countRead(numberOf, column);
  return { ...column, numberOf, numbers, writtenNumbers: 0, otherDates: 0 };
}
