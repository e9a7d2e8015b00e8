import type { ByteSource } from '../datasets/byte-source.ts';
import { invalid } from '../errors.ts';
import { cellsSchema } from '../features/cells.ts';
import { listNames } from '../parse.ts';
import type { SpecInput } from '../spec/spec.ts';
import { type Column, draftRows, nonNumbersOf, profileFile } from './column-profile.ts';

/** A spec that is drafted from a file, and what a person should look at. */
export type Draft = {
  readonly spec: SpecInput;
  /** Rows that were looked at. */
  readonly rows: number;
  /** Columns that are left out, with the reason. */
  readonly left: readonly { readonly column: string; readonly reason: string }[];
  /** What may be wrong with the draft. */
  readonly doubts: readonly string[];
};

/** More values than this are hashed instead of listed. */
const listedValues = 50;
/** More classes than this are rather a number or a text. */
const mostClasses = 100;
/** A column with a larger share of numbers is one of numbers, with other words in it. */
const mostlyNumbers = 0.9;
/** So many different words in a column of numbers may stand for a missing one. */
const mostMissingWords = 5;

/**
 * Drafts a spec from the first rows of a file: types, missing values, categories and the task.
 *
 * @param label the column to predict; the last one unless given
 * @throws MillraceError kind `invalid` if the file has no such column, or nothing to learn from
 */
export async function draftSpec(
  model: string,
  file: { readonly name: string; readonly bytes: ByteSource },
  label?: string,
): Promise<Draft> {
  const { rows, columns, isAll } = await profileFile(file);
  if (rows === 0) throw invalid(`${file.name}: it has no rows to draft a spec from`);
  const names = [...columns.keys()];
  const target = columns.get(label ?? names.at(-1) ?? '');
  if (target === undefined) {
    throw invalid(`--label: the file has no column ${label} (found ${listNames(names)})`);
  }
  const doubts: string[] = [];
  if (!isAll) doubts.push(`the file has more than the ${draftRows} rows that were looked at`);
  for (const column of columns.values()) doubts.push(...missingDoubts(column));
  if (columns.has('weight') && label !== 'weight')
    doubts.push(
      'weight is left out: a column of that name weighs the rows; rename it to learn from it',
    );
  if (label === undefined)
    doubts.push(`label: ${target.name} is the last column; --label names another`);
  const task = taskOf(target, doubts);
  const left: { column: string; reason: string }[] = [];
  const words = new Set<string>();
  const features: Record<string, SpecInput['features'][string]> = {};
  for (const column of columns.values()) {
    if (column === target || column.name === 'weight') continue;
    const reason = reasonToLeave(column);
    if (reason !== undefined) left.push({ column: column.name, reason });
    else {
      const name = featureName(column.name, features);
      const renamed = name === column.name ? {} : { column: column.name };
      features[name] = { ...featureOf(column, doubts, words), ...renamed };
    }
  }
  if (Object.keys(features).length === 0) {
    const why = left.map(({ column, reason }) => `${column}: ${reason}`).join('; ');
    throw invalid(`${file.name}: no column is left to learn from (${why})`);
  }
  doubts.push(...leaks(columns, target));
  const labelName = featureName(target.name, features);
  const spec: SpecInput = {
    model,
    task,
    features,
    label: {
      name: labelName,
      ...(labelName === target.name ? {} : { column: target.name }),
      ...(task === 'multiclass' ? { classes: [...target.values.keys()].sort() } : {}),
    },
    network: { hidden: [32] },
    online: { experts: 'default' },
    ...(words.size === 0
      ? {}
      : { cells: { missing: [...cellsSchema.parse({}).missing, ...words] } }),
  };
  return { spec, rows, left, doubts };
}

function taskOf(label: Column, doubts: string[]): SpecInput['task'] {
  const { name, present, values, truths, numbers, missing } = label;
  if (present === 0) throw invalid(`--label: ${name} has no value in the first rows`);
  if (missing > 0) doubts.push(`label: ${missing} rows have no ${name}; they are refused`);
  if (values.size === 1)
    doubts.push(`label: ${name} is always the same; there is nothing to learn`);
  if (truths === present && values.size <= 2) return 'binary';
  if (numbers === present) {
    if (values.size <= 20)
      doubts.push(
        `label: ${name} has ${values.size} numbers; if they are classes, the task is multiclass`,
      );
    return 'regression';
  }
  if (numbers > mostlyNumbers * present) {
    const texts = listNames(nonNumbersOf(label));
    doubts.push(
      `label: ${present - numbers} of ${present} values of ${name} are no numbers (${texts}); ` +
        'such rows are refused',
    );
    return 'regression';
  }
  if (values.size <= mostClasses) return 'multiclass';
  throw invalid(
    `--label: ${name} is neither a number, nor true or false, nor one of at most ${mostClasses} classes ` +
      `(found ${values.size} texts)`,
  );
}

/** Why a column says nothing, or says too much. */
function reasonToLeave(column: Column): string | undefined {
  const { present, values, numbers, whole, dates, dateTexts, vectors, missing } = column;
  if (column.name === '') return 'it has no name';
  if (present === 0) return 'it is always missing';
  if (vectors.size > 1) return 'its vectors differ in length';
  if (vectors.size === 1) return undefined;
  if (values.size === 1 && missing === 0) return 'it is always the same';
  if (dateTexts > 0.5 * present)
    return 'it is a date as text; add it as {"type": "timestamp"} to learn from it (ISO 8601)';
  if (isProse(column)) return undefined;
  const isKey = values.size === present && present > 100;
  if (isKey && numbers < present && dates < present)
    return 'every row has its own value, like an id';
  if (values.size > 0.7 * present && present > 100 && numbers < 0.5 * present && dates === 0)
    return 'nearly every row has a word of its own, like a name';
  if (isKey && whole === present && isCounting(values)) return 'it counts the rows, like an id';
  return undefined;
}

/** Whether most of its many values are sentences, or at least three words. */
function isProse({ values }: Column): boolean {
  const sentences = [...values.keys()].filter((value) => value.trim().split(/\s+/).length >= 3);
  return values.size > listedValues && sentences.length > 0.5 * values.size;
}

/** Whether whole numbers are all there from the lowest to the highest, and are no years. */
function isCounting(values: ReadonlyMap<string, number>): boolean {
  const numbers = [...values.keys()].map(Number);
  const least = numbers.reduce((a, b) => Math.min(a, b));
  const most = numbers.reduce((a, b) => Math.max(a, b));
  const areYears = least >= 1500 && most <= 2100;
  return !areYears && most - least + 1 === numbers.length;
}

/** A number; what is missing is learnt as the mean. */
function numberOf(column: Column, doubts: string[], words = 0): SpecInput['features'][string] {
  const missing = column.missing + words;
  if (missing === 0) return { type: 'number' };
  doubts.push(`${column.name}: ${missing} missing values are learnt as the mean so far`);
  return { type: 'number', missing: 'mean' };
}

/** @param words is given the texts that stand for a missing number */
function featureOf(
  column: Column,
  doubts: string[],
  words: Set<string>,
): SpecInput['features'][string] {
  const { name, present, numbers, dates, values, vectors, missing } = column;
  const [[length] = []] = vectors;
  if (length !== undefined) return { type: 'vector', length };
  if (dates === present) {
    doubts.push(`${name} is a time: it is learnt as hour, weekday and day of the year, of UTC`);
    return { type: 'timestamp', ...(missing > 0 ? { missing: '1970-01-01' } : {}) };
  }
  if (isProse(column)) {
    doubts.push(`${name} is a free text: its words are learnt`);
    return { type: 'text' };
  }
  if (numbers === present) {
    if (values.size <= 20 && present > 100)
      doubts.push(`${name} has only ${values.size} numbers; if they are codes, make it a category`);
    return numberOf(column, doubts);
  }
  if (numbers > mostlyNumbers * present) {
    const texts = nonNumbersOf(column);
    const areMissing = texts.length <= mostMissingWords;
    if (areMissing) for (const text of texts) words.add(text);
    doubts.push(
      `${name}: ${present - numbers} of ${present} values are no numbers (${listNames(texts)}); ` +
        (areMissing ? 'they count as missing, in every column' : 'such rows are refused'),
    );
    return numberOf(column, doubts, areMissing ? present - numbers : 0);
  }
  const dimensions = Math.min(16, Math.max(2, Math.ceil(Math.sqrt(values.size))));
  const stands = missing > 0 ? { missing: 'missing' } : {};
  return values.size <= listedValues
    ? {
        type: 'category',
        values: [...values.keys(), ...(missing > 0 ? ['missing'] : [])].sort(),
        dimensions,
        ...stands,
      }
    : {
        type: 'category',
        buckets: 2 ** Math.ceil(Math.log2(2 * values.size)),
        dimensions,
        ...stands,
      };
}

/** Words that count as missing where they may be values: `None` for no damage. */
function missingDoubts({ name, missing, present, missingTexts }: Column): string[] {
  if (missing < 0.1 * (missing + present)) return [];
  return [...missingTexts].map(
    ([text, times]) =>
      `${name}: ${times} cells are ${JSON.stringify(text)}, which counts as missing; if it is a ` +
      'value, say so: "cells": {"missing": [""]}',
  );
}

/** Columns that know the label: their values and the label's go together one to one. */
function leaks(columns: ReadonlyMap<string, Column>, label: Column): string[] {
  const shape = [...label.values.values()].sort((a, b) => a - b).join();
  return [...columns.values()].flatMap((column) =>
    column !== label &&
    column.values.size > 1 &&
    column.values.size < 0.5 * column.present &&
    [...column.values.values()].sort((a, b) => a - b).join() === shape
      ? [`${column.name} may tell the label: its values are as frequent as those of ${label.name}`]
      : [],
  );
}

/** A name that a feature may have, for a column that may have any. */
function featureName(column: string, taken: Readonly<Record<string, unknown>>): string {
  const plain =
    column
      .replace(/[^A-Za-z0-9_]+/g, '_')
      .replace(/^(?=\d)/, '_')
      .slice(0, 60) || '_';
  const isReserved = plain === '__proto__';
  let name = isReserved ? 'proto' : plain;
  for (let i = 2; Object.hasOwn(taken, name); i++) name = `${plain}_${i}`;
  return name;
}
