import type { ByteSource } from '../datasets/byte-source.ts';
import type { Row } from '../datasets/formats/format.ts';
import { readRows } from '../datasets/rows.ts';
import { invalid } from '../errors.ts';
import { cellsOf, cellsSchema } from '../features/cells.ts';
import { listNames } from '../parse.ts';
import type { SpecInput } from '../spec/spec.ts';

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

/** Rows that a draft is made from. */
const draftRows = 20_000;
/** More values than this are hashed instead of listed. */
const listedValues = 50;
/** More classes than this are rather a number or a text. */
const mostClasses = 100;

/** What was seen of a column. */
type Column = {
  readonly name: string;
  present: number;
  missing: number;
  numbers: number;
  whole: number;
  truths: number;
  dates: number;
  dateTexts: number;
  /** Texts that stand for a missing value, and how often. */
  readonly missingTexts: Map<string, number>;
  vectors: Map<number, number>;
  readonly values: Map<string, number>;
};

const cells = cellsOf(cellsSchema.parse({}));

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
  const { rows, columns, isAll } = await lookAt(file);
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
  const features: Record<string, SpecInput['features'][string]> = {};
  for (const column of columns.values()) {
    if (column === target || column.name === 'weight') continue;
    const reason = reasonToLeave(column);
    if (reason !== undefined) left.push({ column: column.name, reason });
    else {
      const name = featureName(column.name, features);
      const renamed = name === column.name ? {} : { column: column.name };
      features[name] = { ...featureOf(column, doubts), ...renamed };
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
  };
  return { spec, rows, left, doubts };
}

async function lookAt(file: { readonly name: string; readonly bytes: ByteSource }) {
  const columns = new Map<string, Column>();
  let rows = 0;
  for await (const chunk of readRows(file)) {
    for (const row of chunk.rows) {
      if (rows >= draftRows) return { rows, columns, isAll: false };
      rows += 1;
      for (const [name, cell] of Object.entries(flat(row))) {
        const column = columns.get(name) ?? newColumn(name);
        columns.set(name, column);
        look(column, cell);
      }
    }
  }
  return { rows, columns, isAll: true };
}

/** A row that is a sample already has its features inside. */
function flat(row: Row): Row {
  const { features, ...rest } = row;
  const isSample = typeof features === 'object' && features !== null && !Array.isArray(features);
  return isSample ? { ...(features as Row), ...rest } : row;
}

function newColumn(name: string): Column {
  return {
    name,
    present: 0,
    missing: 0,
    numbers: 0,
    whole: 0,
    truths: 0,
    dates: 0,
    dateTexts: 0,
    missingTexts: new Map(),
    vectors: new Map(),
    values: new Map(),
  };
}

/** Dates as texts: ISO 8601, and as spreadsheets write them. */
const day = String.raw`([A-Z][a-z]{2,8}\.? \d{1,2},? \d{4}|\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})`;
const dateText = new RegExp(`^${day}([T ]\\d\\d:\\d\\d.*)?$`);

function look(column: Column, cell: unknown): void {
  if (cells.isMissing(cell)) {
    column.missing += 1;
    const text = typeof cell === 'string' ? cell.trim() : '';
    if (text !== '') column.missingTexts.set(text, (column.missingTexts.get(text) ?? 0) + 1);
    return;
  }
  column.present += 1;
  if (Array.isArray(cell) || ArrayBuffer.isView(cell)) {
    const { length } = cell as ArrayLike<unknown>;
    column.vectors.set(length, (column.vectors.get(length) ?? 0) + 1);
    return;
  }
  if (cell instanceof Date) column.dates += 1;
  if (typeof cell === 'string' && dateText.test(cell)) column.dateTexts += 1;
  const number = typeof cell === 'boolean' ? undefined : cells.number(cell);
  if (number !== undefined && !(cell instanceof Date)) {
    column.numbers += 1;
    if (Number.isInteger(number)) column.whole += 1;
  }
  if (cells.truth(cell) !== undefined) column.truths += 1;
  const text = cells.text(cell);
  if (text !== undefined && (column.values.has(text) || column.values.size <= draftRows))
    column.values.set(text, (column.values.get(text) ?? 0) + 1);
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
    return 'it is a date as text; turn it into numbers first, such as hour and weekday';
  const isKey = values.size === present && present > 100;
  if (isKey && numbers < present && dates < present)
    return 'every row has its own value, like an id';
  if (isKey && whole === present && isCounting(values)) return 'it counts the rows, like an id';
  return undefined;
}

/** Whether whole numbers are all there from the lowest to the highest. */
function isCounting(values: ReadonlyMap<string, number>): boolean {
  const numbers = [...values.keys()].map(Number);
  const least = numbers.reduce((a, b) => Math.min(a, b));
  const most = numbers.reduce((a, b) => Math.max(a, b));
  return most - least + 1 === numbers.length;
}

function featureOf(column: Column, doubts: string[]): SpecInput['features'][string] {
  const { name, present, numbers, dates, values, vectors, missing } = column;
  const [[length] = []] = vectors;
  if (length !== undefined) return { type: 'vector', length };
  if (dates === present) {
    doubts.push(`${name} is a date: it is learnt as seconds since 1970; hour and weekday say more`);
    return { type: 'number', ...(missing > 0 ? { missing: 0 } : {}) };
  }
  if (numbers === present) {
    if (values.size <= 20 && present > 100)
      doubts.push(`${name} has only ${values.size} numbers; if they are codes, make it a category`);
    if (missing > 0) doubts.push(`${name}: ${missing} missing values are learnt as 0`);
    return { type: 'number', ...(missing > 0 ? { missing: 0 } : {}) };
  }
  if (numbers > 0.9 * present)
    doubts.push(
      `${name}: ${present - numbers} of ${present} values are no numbers; it is a category now`,
    );
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
