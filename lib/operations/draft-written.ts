import { type Cells, cellsOf, cellsSchema } from '../features/cells.ts';
import { withDecimalPoint } from '../features/decimal-comma.ts';
import { type NumberStyle, numberStyles } from '../features/written-number.ts';
import { listNames } from '../parse.ts';
import type { Column } from './column-profile.ts';
import { hasWrittenNumbers, textsOf } from './draft-feature.ts';

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
  const all = [...columns.values()];
  const written = all.filter(hasWrittenNumbers);
  const plain = all.filter((column) => !written.includes(column) && column.numbers > 0);
  const numbers = numberStyles.find((style) => {
    const { number } = cellsOf({ ...usual, numbers: style });
    return (
      written.every((column) => isReadBy(number, column)) &&
      plain.every((column) => isReadAlike(number, column))
    );
  });
  if (written.length === 0 || numbers === undefined) return { columns };
  const { number } = cellsOf({ ...usual, numbers });
  const [first] = written;
  doubts.push(
    `${listNames(written.map(({ name }) => name))}: numbers are written as ` +
      `${first ? textsOf(first) : ''}, and read like ${numbers} ("cells": {"numbers": ` +
      `"${numbers}"})`,
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

/** Whether a way to read numbers reads all that look like some. */
function isReadBy(number: Cells['number'], column: Column): boolean {
  let read = 0;
  for (const [text, count] of column.values) if (number(text) !== undefined) read += count;
  return read >= column.numbers + column.writtenNumbers;
}

/** Whether numbers stay what they are without it. */
function isReadAlike(number: Cells['number'], column: Column): boolean {
  const { number: plain } = cellsOf(usual);
  return [...column.values.keys()].every((text) => {
    const before = plain(withDecimalPoint(text, column));
    return before === undefined || number(text) === before;
  });
}

function withNumbers(column: Column, number: Cells['number']): Column {
  const values = new Map<string, number>();
  let numbers = 0;
  for (const [text, count] of column.values) {
    const value = number(text);
    if (value !== undefined) numbers += count;
    const own = value === undefined ? text : String(value);
    values.set(own, (values.get(own) ?? 0) + count);
  }
  return { ...column, values, numbers, writtenNumbers: 0, otherDates: 0 };
}
