import { cellsOf, cellsSchema } from '../features/cells.ts';
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
  'off',
  'negative',
  'nee',
  'nej',
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
