import { cellsSchema } from '../features/cells.ts';
import type { Column } from './column-profile.ts';

/** The word of a label that counts as true, and the one that counts as false. */
export type Truths = { readonly true: string; readonly false: string };

const usual = cellsSchema.parse({});
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

/** Whether a column has two words of true and false, that a number is read from: no letters. */
export function areTruths({ truths, present, values }: Column): boolean {
  const isRead = [...values.keys()].every((text) => text.length > 1 || /^\d$/.test(text));
  return truths === present && values.size <= 2 && isRead;
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
