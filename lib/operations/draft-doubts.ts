import { listNames } from '../parse.ts';
import { type Column, plainValuesOf } from './column-profile.ts';
import { type Findings, textsOf } from './draft-feature.ts';

/** A class that is rarer than this is hardly ever predicted, unless it weighs more. */
const rareShare = 0.05;

/** What to do where a class is rare. */
export function rareDoubts({ values, present }: Column): string[] {
  const [value, rows] = [...values].sort(([, a], [, b]) => a - b)[0] ?? [];
  if (value === undefined || rows === undefined || values.size < 2) return [];
  if (rows >= (2 * rareShare * present) / values.size) return [];
  return [
    `label: only ${rows} of ${present} rows are ${value}; if those matter as much as the others ` +
      'together, say so: "label": {"classWeights": "balanced"}',
  ];
}

/** Where the first row of a file without a header was taken for the names of its columns. */
export function headerDoubts(file: string, columns: ReadonlyMap<string, Column>): string[] {
  if (!isDelimited(file)) return [];
  const numbers = [...columns.keys()].filter((name) => /^[-+]?\d+([.,]\d+)?$/.test(name.trim()));
  if (numbers.length < 2 || 2 * numbers.length < columns.size) return [];
  return [
    `the names of the columns, ${listNames(numbers)}: if they are the first row of a file without ` +
      'a header, write one above it',
  ];
}

/** A column that weighs the rows, or should. */
export function weightDoubt(column: Column): string {
  const others = column.present - column.numbers;
  const says = 'weight is left out: a column of that name weighs the rows';
  if (others === 0) return `${says}; rename it to learn from it`;
  return `${says}, and ${others} whose weight is no number (${textsOf(column)}) are refused; rename it`;
}

/** Words that count as missing where they may be values, as no number is: `None` for no damage. */
export function missingDoubts(column: Column): string[] {
  const { name, missing, present, missingTexts, numbers, dates, dateTexts } = column;
  const areWords = numbers + dates + dateTexts <= present / 2;
  if (missing < 0.1 * (missing + present) || !areWords) return [];
  return [...missingTexts].map(
    ([text, times]) =>
      `${name}: ${times} cells are ${JSON.stringify(text)}, which counts as missing; if it is a ` +
      'value, say so: "cells": {"missing": [""]}',
  );
}

/** Numbers such as 1.500 that may be 1500 to whoever wrote them: beside whole ones, or round. */
export function groupDoubts({ name, numbers, points, groups, roundGroups }: Column): string[] {
  const isLike = groups > 0 && groups === points && (numbers > groups || 2 * roundGroups > groups);
  if (!isLike) return [];
  return [
    `${name}: ${groups} numbers have a point and three digits behind it, and 1.500 is read as 1.5; ` +
      'if the points are of thousands, say so: "cells": {"numbers": "1.234,5"}',
  ];
}

/** Whether the first line of a file names its columns. */
function isDelimited(file: string): boolean {
  return /\.(csv|tsv)(\.|$)/i.test(file);
}

/** Where a title above the header was taken for it. */
export function titleNotes(file: string, columns: ReadonlyMap<string, Column>): string[] {
  const [only, ...others] = columns.keys();
  if (only === undefined || others.length > 0 || !isDelimited(file)) return [];
  return [
    `the first line names the columns (found ${JSON.stringify(only)}, one alone): delete lines above ` +
      'it, and tell names apart by a comma, semicolon, tab or |',
  ];
}

/**
 * Where the mean of labels is far from their middle: which of both is learnt, and how to have the
 * other.
 */
export function meanDoubts(label: Column): readonly string[] {
  const times = [...label.values.values()];
  const values = plainValuesOf(label)
    .flatMap((text, place) => {
      const value = Number(text);
      return text.trim() !== '' && Number.isFinite(value)
        ? { value, count: times[place] ?? 0 }
        : [];
    })
    .sort((a, b) => a.value - b.value);
  const count = values.reduce((sum, each) => sum + each.count, 0);
  const mean = values.reduce((sum, each) => sum + (each.value * each.count) / count, 0);
  const quantile = (share: number) => {
    let before = 0;
    for (const each of values) {
      before += each.count;
      if (before >= share * count) return each.value;
    }
    return 0;
  };
  const [low, middle, high] = [quantile(0.25), quantile(0.5), quantile(0.75)];
  if (count < enoughLabels || Math.abs(mean - middle) <= high - low) return [];
  const shown = (value: number) => String(Number(value.toPrecision(3)));
  return [
    `label: half of ${label.name} is up to ${shown(middle)}, and its mean is ${shown(mean)}, which a ` +
      'model predicts; to be near most labels instead, write "loss": {"quantile": 0.5}',
  ];
}

/** Fewer labels say little of where their mean is. */
const enoughLabels = 30;

/** So many columns that are alike are told one by one. */
const mostToldApart = 4;

/** Columns of a few numbers, in as few lines as say it. */
export function fewDoubts(few: Findings['few']): readonly string[] {
  const names = [...few.keys()];
  if (names.length > mostToldApart)
    return [
      `${listNames(names)} have no more than ${Math.max(...few.values())} numbers each; if they ` +
        'are codes, make them categories',
    ];
  return [...few].map(
    ([name, count]) => `${name} has only ${count} numbers; if they are codes, make it a category`,
  );
}

/** Columns of words of true and false: what becomes of another word. */
export function flagDoubts(names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  return [
    `${listNames(names)}: words of true and false are learnt as 1 and 0, and rows with another word ` +
      'are refused; if there may be others, make it a category',
  ];
}
