import { cellsOf, cellsSchema } from '../features/cells.ts';
import { listNames } from '../parse.ts';
import { type Column, nonNumbersOf } from './column-profile.ts';

/** The word of a label that counts as true, and the one that counts as false. */
export type Truths = { readonly true: string; readonly false: string };

const usual = cellsSchema.parse({});
const { number } = cellsOf(usual);
/** Words of other languages, and of forms. */
const yes = [
  ...usual.true,
  'ja',
  'oui',
  'si',
  'sí',
  'sì',
  'sim',
  'tak',
  'да',
  'evet',
  'on',
  'positive',
  'wahr',
  'vrai',
  'verdadero',
  'verdadeiro',
  'vero',
  'waar',
  'sant',
  'prawda',
];
const no = [
  ...usual.false,
  'nein',
  'non',
  'não',
  'nao',
  'nie',
  'нет',
  'hayır',
  'hayir',
  'off',
  'negative',
  'nee',
  'nej',
  'falsch',
  'faux',
  'falso',
  'onwaar',
  'falskt',
  'fałsz',
];

/** Which word of a label is true, where there are two that every reader of its language knows. */
export function truthsOf([label, ...others]: readonly [Column, ...Column[]]): Truths | undefined {
  const words = new Map([...label.values.keys()].map((word) => [word.toLowerCase(), word]));
  const isPlain = label.longTexts + label.objects + label.vectors.size === 0;
  if (others.length > 0 || words.size !== 2 || !isPlain || label.truths === label.present)
    return undefined;
  const [first = '', second = ''] = words.keys();
  if (yes.includes(first) && no.includes(second)) return { true: first, false: second };
  return yes.includes(second) && no.includes(first) ? { true: second, false: first } : undefined;
}

/** Whether a column has words of true and false alone, that a number is read from: no letters. */
export function areTruths({ truths, present, values }: Column): boolean {
  const isRead = [...values.keys()].every((text) => text.length > 1 || /^\d$/.test(text));
  return truths === present && isRead;
}

/** What is to be said of a column of words: that some are numbers, or true and false. */
export function wordDoubts(column: Column): readonly string[] {
  const measured = column.values.size > fewMeasures ? measuredAs(column) : undefined;
  return [
    ...(measured === undefined ? [] : [`${column.name}: ${measured}; they are learnt as words`]),
    ...spellingDoubts(column),
    ...numberDoubts(column),
  ];
}

/** So few values are rather names, such as 32GB. */
const fewMeasures = 20;
/** Most values of a column are written so. */
const mostlySo = 0.9;
/** A number and what it counts, such as 12.5 kg and 48.2° N; a time of a day, or a duration. */
const [measure, clock] = [
  /^[-+]?\d+([.,]\d+)?\s?(°\s?[NSEW]|[\p{L}°µ/²³]{1,6})$/u,
  /^\d{1,3}:\d\d(:\d\d([.,]\d+)?)?$/,
];

/** How values that are no numbers could be some; undefined if they could not. */
export function measuredAs({ values, present }: Column): string | undefined {
  const own = [measure, clock].find((pattern) => {
    let rows = 0;
    for (const [text, times] of values) if (pattern.test(text)) rows += times;
    return rows > mostlySo * present;
  });
  if (own === undefined) return undefined;
  const texts = listNames([...values.keys()].slice(0, 2).map((text) => JSON.stringify(text)));
  return own === measure
    ? `its numbers have units (${texts}); to learn them, write all in one unit, without its name`
    : `its values are times of a day, or durations (${texts}); to learn them, write minutes, or ` +
        'times such as 2024-01-31T17:30';
}

/** Words of true and false in several spellings, where those are not read as numbers. */
function spellingDoubts(column: Column): readonly string[] {
  const { name, truths, present, values } = column;
  if (truths < present || values.size <= 2 || areTruths(column)) return [];
  return [
    `${name}: its words mean true and false in ${values.size} spellings ` +
      `(${listNames([...values.keys()].slice(0, 5))}), and each is learnt as a value of its own; ` +
      'write them alike',
  ];
}

/** From such a share on, numbers among texts may be what a column is meant to have. */
const manyNumbers = 0.3;

/** How a column is learnt in which texts are too many for one of numbers. */
function numberDoubts(column: Column): string[] {
  const { name, present, numbers, writtenNumbers, truths } = column;
  const all = numbers + writtenNumbers;
  if (all < manyNumbers * present || numbers === present || truths === present) return [];
  const texts = nonNumbersOf(column);
  return [
    `${name}: ${all} of ${present} values are numbers, and others texts ` +
      `(${listNames(texts.slice(0, 3))}): all are learnt as values of their own; if the texts stand ` +
      'for missing numbers, name them in "cells": {"missing": […]}, and make it a number',
  ];
}

/**
 * The texts of a column of numbers that are none, but for words of true and false, which are read
 * as 1 and 0; how many rows have those, and what is to be said of it.
 */
export function textsAmongNumbers(column: Column): {
  readonly texts: readonly string[];
  readonly read: number;
  readonly doubts: readonly string[];
} {
  const all = nonNumbersOf(column);
  const words = [...column.values.keys()].filter(
    (text) => !/\d/.test(text) && number(text) !== undefined,
  );
  if (words.length === 0) return { texts: all, read: 0, doubts: [] };
  const unread = words.filter((word) => all.includes(word));
  const read = unread.reduce((sum, word) => sum + (column.values.get(word) ?? 0), 0);
  const told = words.slice(0, 4).map((word) => `${JSON.stringify(word)} counts as ${number(word)}`);
  const doubt =
    `${column.name}: among its numbers ${told.join(', ')}; if such a word stands for a missing ` +
    'value, move it from "true" or "false" of "cells" to "missing"';
  return { texts: all.filter((text) => !words.includes(text)), read, doubts: [doubt] };
}

/** How a label of two words is learnt that they are the true and the false one of. */
export function truthDoubt({ true: right, false: wrong }: Truths): string {
  return `label: ${right} is true and ${wrong} is false, in every column, as "cells" says`;
}

/** How a spec says by which words a label is true or false. */
export function wordsToDeclare([first = '', second = '']: readonly string[]): string {
  return (
    'draft it without --task, and write "task": "binary" with ' +
    `"cells": {"true": [${JSON.stringify(first)}], "false": [${JSON.stringify(second)}]}`
  );
}

/** Where values are told apart by the case of their letters alone, and what becomes of them. */
export function alikeDoubts(
  { values }: Pick<Column, 'values'>,
  { as, are }: { readonly as: string; readonly are: 'values' | 'classes' },
): readonly string[] {
  const first = new Map<string, string>();
  for (const value of values.keys()) {
    const small = value.toLowerCase();
    const other = first.get(small);
    if (other !== undefined)
      return [
        `${as}: ${JSON.stringify(other)}, ${JSON.stringify(value)} differ in capital letters alone, ` +
          `and are learnt as two ${are}`,
      ];
    first.set(small, value);
  }
  return [];
}
