import * as z from 'zod';
import { limits } from '../limits.ts';
import { show, strictObject } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import { numberStyles, styleOf, writtenNumberReader } from './written-number.ts';

const words = z.array(z.string().max(limits.categoryCharacters)).max(100);

/** Texts that stand for a missing value, for true and for false; letters' case does not count. */
export const cellsSchema = strictObject({
  missing: words.default(['', 'NA', 'N/A', '#N/A', 'NaN', 'null', 'None']),
  true: words.default(['true', 'yes', 't', 'y', '1']),
  false: words.default(['false', 'no', 'f', 'n', '0']),
  numbers: z
    .enum(numberStyles)
    .optional()
    .describe(
      'how texts that are numbers are written, with signs of thousands, of money or of percent; ' +
        '1234.5 unless given',
    ),
});

/** What a spec says of cells. */
export type CellWords = z.output<typeof cellsSchema>;

/**
 * How a cell becomes a value: the same for CSV, JSON Lines, Parquet and messages. Each answers
 * undefined if the cell is no such value.
 */
export type Cells = {
  /** Whether there is no value: nothing, null, NaN, or a word for it. */
  readonly isMissing: (cell: unknown) => boolean;
  /** A finite number; 1 and 0 for words of true and false, but for single letters. */
  readonly number: (cell: unknown) => number | undefined;
  /** The text of a category's or a class' value. */
  readonly text: (cell: unknown) => string | undefined;
  readonly truth: (cell: unknown) => boolean | undefined;
};

/**
 * The table of cells, with a spec's words; see docs/cells.md.
 *
 * @param isExact whether numbers that JSON may have rounded have no text: several would be one
 * @param isShort whether a number that float32 has is told by its shortest decimal there
 */
export function cellsOf(spec: CellWords, isExact = false, isShort = true): Cells {
  const isMissing = wordTest(spec.missing);
  const [isYes, isNo] = [wordTest(spec.true), wordTest(spec.false)];
  const textOfString = remembering(textOf);
  const written = spec.numbers && writtenNumberReader(spec.numbers);
  return {
    isMissing: (cell) =>
      cell === undefined || cell === null || Number.isNaN(cell) || isMissing(cell),
    number(cell) {
      const number = numberOf(cell, written);
      // (A letter among numbers is hardly meant as one.)
      if (number !== undefined || typeof cell !== 'string' || cell.trim().length < 2) return number;
      if (isYes(cell)) return 1;
      return isNo(cell) ? 0 : undefined;
    },
    text(cell) {
      if (typeof cell === 'string') return textOfString(cell);
      if (isExact && isRoundedNumber(cell)) return undefined;
      return textOf(isShort && typeof cell === 'number' ? shortest(cell) : cell);
    },
    truth(cell) {
      if (typeof cell === 'boolean') return cell;
      if (isYes(cell)) return true;
      return isNo(cell) ? false : undefined;
    },
  };
}

/** How many digits a number is written in. */
function digitsOf(number: number): number {
  const [digits = ''] = String(number).split('e');
  return digits.replace(/^[-.0]+|\./g, '').length;
}

/** Digits that tell any number of float32 from the next; and those that tell some. */
const [fewestDigits, mostDigits] = [6, 9];

/**
 * The number that is written in the fewest digits among those that float32 takes for the same as
 * one that it has: .1, as a column of float32 has it, is another number in float64.
 */
function shortest(number: number): number {
  if (Number.isInteger(number) || Math.fround(number) !== number) return number;
  if (digitsOf(number) <= mostDigits) return number;
  for (let digits = fewestDigits; digits <= mostDigits; digits++) {
    const short = Number(number.toPrecision(digits));
    if (Math.fround(short) === number) return short;
  }
  return number;
}

/** Whether a cell is a whole number that may have been another before it was read from JSON. */
export function isRoundedNumber(cell: unknown): boolean {
  return Number.isInteger(cell) && !Number.isSafeInteger(cell);
}

/** A cell as words are compared; undefined if it is no word. */
function wordOf(cell: unknown): string | undefined {
  return (textOf(cell) ?? (typeof cell === 'string' ? cell.trim() : undefined))?.toLowerCase();
}

/** Tells whether a cell is one of some words. Most are told by their type or first character. */
function wordTest(texts: readonly string[]): (cell: unknown) => boolean {
  const words = new Set(texts.map(wordOf));
  const firsts = new Set([...words].map((word) => word?.charCodeAt(0)));
  const longest = Math.max(0, ...[...words].map((word) => word?.length ?? 0));
  const numbers = new Set([...words].map(Number).filter((number) => words.has(wordOf(number))));
  const isWord = (cell: unknown) => {
    const word = wordOf(cell);
    return word !== undefined && words.has(word);
  };
  const isWordOfString = remembering(isWord);
  const hasTime = [...words].some((word) => word !== undefined && isTime.test(word));
  return (cell) => {
    if (typeof cell === 'number') return numbers.has(cell);
    if (cell instanceof Date) return hasTime && isWord(cell);
    if (typeof cell !== 'string') return isWord(cell);
    const first = lowerCaseOf(cell.charCodeAt(0));
    if (first === undefined) return isWordOfString(cell);
    if (!firsts.has(first)) return false;
    // What a text that ends so has around it, or loses, is nothing.
    const last = cell.charCodeAt(cell.length - 1);
    const isWhole = last !== codes.zero && lowerCaseOf(last) !== undefined;
    return isWhole && cell.length > longest ? false : isWordOfString(cell);
  };
}

/** As `Date` writes itself, in small letters. */
const isTime = /^[+-]?\d{4,6}-\d\d-\d\dt.*z$/;

const codes = { zero: 48, nine: 57, a: 97, z: 122, toLowerCase: 32 } as const;

/** Of a letter or digit of ASCII, the code in small letters. */
function lowerCaseOf(code: number): number | undefined {
  if (code >= codes.zero && code <= codes.nine) return code;
  const letter = code | codes.toLowerCase;
  return letter >= codes.a && letter <= codes.z ? letter : undefined;
}

/** Texts of more characters may be parts of others, which would stay in memory with them. */
const longestRemembered = 12;
const mostRemembered = 4_096;

/** The same function, which remembers what it said of short texts: most come again. */
function remembering<Value>(of: (text: string) => Value): (text: string) => Value {
  const answers = new Map<string, { readonly value: Value }>();
  return (text) => {
    if (text.length > longestRemembered) return of(text);
    const known = answers.get(text);
    if (known !== undefined) return known.value;
    const value = of(text);
    if (answers.size >= mostRemembered) answers.clear();
    answers.set(text, { value });
    return value;
  };
}

/**
 * Numbers nearer to 0 are not normal in float32. Whether a processor takes them for 0 depends on
 * what runs beside; so they are 0 everywhere.
 */
const smallestNormal = 2 ** -126;

const numeral = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** @param written reads a text without white space around it; one such as 1234.5 unless given */
function numberOf(cell: unknown, written = plainNumberOf): number | undefined {
  if (typeof cell === 'number') {
    if (!Number.isFinite(cell)) return undefined;
    return Math.abs(cell) < smallestNormal ? 0 : cell;
  }
  if (typeof cell === 'bigint' || typeof cell === 'boolean') return Number(cell);
  if (cell instanceof Date) return numberOf(cell.getTime() / 1_000);
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  if (isTruth(text)) return Number(text.toLowerCase() === 'true');
  return numberOf(written(text));
}

function plainNumberOf(text: string): number | undefined {
  return numeral.test(text) ? Number(text) : undefined;
}

/** Whether a text is true or false; most others are told by their length. */
function isTruth(text: string): boolean {
  return (text.length === 4 || text.length === 5) && /^(true|false)$/i.test(text);
}

/** Texts without white space around them; true, false and whole numbers in one form. */
function textOf(cell: unknown): string | undefined {
  if (typeof cell === 'number')
    return Number.isFinite(cell) ? String(withoutSign(cell)) : undefined;
  if (typeof cell === 'boolean' || typeof cell === 'bigint') return String(cell);
  if (cell instanceof Date) return Number.isNaN(cell.getTime()) ? undefined : cell.toISOString();
  if (typeof cell !== 'string') return undefined;
  const text = cell.trim();
  if (text.length === 0 || text.length > limits.categoryCharacters) return undefined;
  if (isTruth(text)) return text.toLowerCase();
  return text.endsWith('0') ? text.replace(/^(-?(?:0|[1-9]\d*))\.0+$/, '$1') : text;
}

/**
 * How releases before 0.3 read a message's values. Models that they created learn the journal again
 * as it was learnt.
 */
export const cellsAsWritten: Cells = {
  isMissing: (cell) => cell === undefined,
  number: (cell) => (typeof cell === 'number' ? cell : undefined),
  text(cell) {
    if (typeof cell === 'string')
      return cell.length > 0 && cell.length <= limits.categoryCharacters ? cell : undefined;
    return typeof cell === 'boolean' || Number.isSafeInteger(cell) ? String(cell) : undefined;
  },
  truth(cell) {
    if (cell === true || cell === 1) return true;
    return cell === false || cell === 0 ? false : undefined;
  },
};

/**
 * Whether a value is a number that stays finite when it is rounded to float32 (3.5e38 does not).
 */
export function isFloat32(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(Math.fround(value));
}

/** Why a cell is no number that can be learnt. */
export function noNumber(cells: Cells, cell: unknown): Refused<'not-finite'> {
  const isLarge = cells.number(cell) !== undefined;
  const allowed = isLarge
    ? 'must be a number of up to 3.4e38, as float32 has'
    : 'must be a finite number';
  const isDecimal = typeof cell === 'string' && /^\s*[+-]?\d+,\d+\s*$/.test(cell);
  const style = typeof cell === 'string' && !isLarge ? styleOf(cell.trim()) : undefined;
  const remedies = [
    ...(isDecimal ? ['write a point, or semicolons between the cells of a file'] : []),
    ...(style === undefined ? [] : [`if numbers are written so, "cells": {"numbers": "${style}"}`]),
  ];
  const remedy = remedies.length > 0 ? `; ${remedies.join(', or ')}` : '';
  return refuse('not-finite', `${allowed} (found ${show(cell)})${remedy}`);
}

/** The number in a dataset's cell, for models of releases before 0.3. */
export function readNumber(cell: unknown): unknown {
  if (typeof cell === 'bigint') return Number(cell);
  return typeof cell === 'string' && cell.trim() !== '' ? Number(cell) : cell;
}

/** A number as the journal keeps it: JSON has no −0, and the same sample must be learnt again. */
export function withoutSign(value: number): number {
  return value === 0 ? 0 : value;
}
