import type { ByteSource } from '../datasets/byte-source.ts';
import { type BadRow, copied } from '../datasets/formats/format.ts';
import { readRows } from '../datasets/rows.ts';
import type { Row } from '../features/cell-table.ts';
import { cellsOf, cellsSchema, isFloat32 } from '../features/cells.ts';
import { type DecimalTable, withDecimalPoint } from '../features/decimal-comma.ts';
import { timeOf } from '../features/kinds/timestamp.ts';
import { looksWritten } from '../features/written-number.ts';
import { isRecord } from '../parse.ts';

/** Rows that are looked at, and cells, if a thousand rows have fewer. */
const [mostRows, mostCells, leastRows] = [20_000, 2_000_000, 1_000];

/** What was seen of a column. */
export type Column = {
  readonly name: string;
  present: number;
  missing: number;
  numbers: number;
  whole: number;
  /** Numbers that float32 has not, so that their rows are refused. */
  tooLarge: number;
  truths: number;
  dates: number;
  /** Texts that are dates, as ISO 8601; those that have a time of day; and others. */
  dateTexts: number;
  timeTexts: number;
  otherDates: number;
  /** Texts such as 2,503.28, $69 and 45%. */
  writtenNumbers: number;
  /** Texts that are numbers with a point; such as 1.503; such as 1.500. */
  points: number;
  groups: number;
  roundGroups: number;
  /** Such as 01067, or whole numbers of more digits than float64 has. */
  codes: number;
  /** Texts of at least three words; and others of as many letters, which have no spaces. */
  sentences: number;
  unspaced: number;
  /** Texts that no category can have, since they are too long. */
  longTexts: number;
  /** What is neither a text, a number, true or false, nor a list of numbers. */
  objects: number;
  /** Texts that stand for a missing value, and how often. */
  readonly missingTexts: Map<string, number>;
  vectors: Map<number, number>;
  /** As they are written, with how often they came; see {@link hasForgotten}. */
  values: Map<string, number>;
  /** Whether there were so many that rare ones were forgotten, who may have come more often. */
  hasForgotten: boolean;
  /** Whether they may have decimal commas. */
  hasDecimalComma: boolean;
  /** What texts are as numbers, where they are read otherwise than 1234.5. */
  readonly numberOf?: (text: string) => number | undefined;
};

const cells = cellsOf(cellsSchema.parse({}));
/** Those among which no word such as "yes" is a number: beside other words it would not be meant. */
const numerals = cellsOf({ ...cellsSchema.parse({}), true: ['true'], false: ['false'] });

/**
 * What is in the columns of the first rows of a file. Of rows that lack a label nothing else is
 * looked at: they are refused, such as a line of totals below the others.
 *
 * @param labels the last column, or that of samples, unless given
 */
export async function profileFile(
  file: { readonly name: string; readonly bytes: ByteSource },
  labels?: readonly string[],
) {
  const { columns, rows, add } = createProfile();
  let unlabelled = 0;
  let bad: BadRow | undefined;
  let badRows = 0;
  /** Features of samples that have the name of another field of theirs. */
  const hidden = new Set<string>();
  let areSamples = false;
  const profile = (isAll: boolean) => {
    // (Rows of JSON leave out what they have not.)
    const targets = labelsAmong([...columns.keys()]);
    for (const column of columns.values()) {
      const others = targets.includes(column.name) ? 0 : unlabelled;
      column.missing = rows() - others - column.present;
    }
    return { rows: rows(), columns, isAll, bad, badRows, areSamples, hidden };
  };
  const labelsAmong = (names: readonly string[]) =>
    labels ?? (areSamples ? ['label'] : names.filter((name) => name !== '').slice(-1));
  for await (const chunk of readRows(file)) {
    const { hasDecimalComma = false } = chunk.rows;
    bad ??= chunk.bad[0];
    badRows += chunk.bad.length;
    for (const row of chunk.rows) {
      if (rows() >= rowsLookedAt(columns.size)) return profile(false);
      const { features } = row;
      if (isRecord(features)) {
        areSamples = true;
        for (const name of ['label', 'weight']) if (Object.hasOwn(features, name)) hidden.add(name);
      }
      const own = flat(row);
      const names = labelsAmong(Object.keys(own));
      const isLabelled = names.every((name) => !cells.isMissing(own[name]));
      if (!isLabelled) unlabelled += 1;
      add(own, { hasDecimalComma, ...(isLabelled ? {} : { only: names }) });
    }
  }
  return profile(true);
}

function rowsLookedAt(columns: number): number {
  return Math.min(mostRows, Math.max(leastRows, Math.floor(mostCells / Math.max(1, columns))));
}

/** The columns of a row that count, all unless given, and whether its numbers have commas. */
type Looking = DecimalTable & { readonly only?: readonly string[] };

/** What is in the columns of some rows. */
export function createProfile() {
  const columns = new Map<string, Column>();
  let rows = 0;
  return {
    columns: columns as ReadonlyMap<string, Column>,
    rows: () => rows,
    /**
     * @param row as {@link flat} has it
     * @returns the cells that were looked at, as they are read
     */
    add(
      row: Row,
      { only, hasDecimalComma = false }: Looking = {},
    ): readonly (readonly [name: string, cell: unknown])[] {
      rows += 1;
      return Object.entries(row).map(([name, written]) => {
        const column = columns.get(name) ?? newColumn(name);
        columns.set(name, column);
        const cell = withDecimalPoint(written, { hasDecimalComma });
        column.hasDecimalComma ||= hasDecimalComma;
        if (only?.includes(name) !== false) look(column, cell, written);
        return [name, cell];
      });
    },
  };
}

/**
 * A row that is a sample already has its features inside. What else stands beside is not read, and
 * features of the names of its other fields are not told from those.
 */
export function flat(row: Row): Row {
  const { features, label, weight } = row;
  if (!isRecord(features)) return row;
  const { label: _, weight: __, ...own } = features;
  return {
    ...own,
    ...(Object.hasOwn(row, 'weight') && { weight }),
    ...(Object.hasOwn(row, 'label') && { label }),
  };
}

function newColumn(name: string): Column {
  return {
    name,
    present: 0,
    missing: 0,
    numbers: 0,
    whole: 0,
    tooLarge: 0,
    truths: 0,
    dates: 0,
    dateTexts: 0,
    timeTexts: 0,
    otherDates: 0,
    writtenNumbers: 0,
    points: 0,
    groups: 0,
    roundGroups: 0,
    codes: 0,
    sentences: 0,
    unspaced: 0,
    longTexts: 0,
    objects: 0,
    missingTexts: new Map(),
    vectors: new Map(),
    values: new Map(),
    hasForgotten: false,
    hasDecimalComma: false,
  };
}

/** Dates as texts: ISO 8601; and as spreadsheets and people write them. */
const isoDate = /^\d{4}[-/]\d\d?[-/]\d\d?([T ]\d\d?:\d\d.*)?$/;
const [month, time] = [String.raw`[A-Z][a-z]{2,8}\.?`, String.raw`([T ]\d\d?:\d\d.*)?`];
const otherDate = new RegExp(
  String.raw`^([A-Z][a-z]{2},? )?(${month} \d\d?,? \d{4}|\d\d? ${month},? \d{4}|` +
    String.raw`\d\d?[./-]\d\d?[./-]\d{4})${time}$`,
);
/** Such as 01.2025, which is a number too. */
const monthOfYear = /^(0?[1-9]|1[0-2])[./-](19|20)\d\d$/;

function look(column: Column, cell: unknown, written: unknown): void {
  if (cells.isMissing(cell)) {
    column.missing += 1;
    const text = typeof cell === 'string' ? cell.trim() : '';
    if (text !== '') column.missingTexts.set(text, (column.missingTexts.get(text) ?? 0) + 1);
    return;
  }
  column.present += 1;
  if (Array.isArray(cell) || ArrayBuffer.isView(cell)) {
    const elements = Array.from(cell as ArrayLike<unknown>);
    const areNumbers = elements.every((element) => cells.number(element) !== undefined);
    if (!areNumbers || elements.length === 0) column.objects += 1;
    else column.vectors.set(elements.length, (column.vectors.get(elements.length) ?? 0) + 1);
    return;
  }
  if (cell instanceof Date) column.dates += 1;
  const number = typeof cell === 'boolean' ? undefined : numerals.number(cell);
  if (number !== undefined && !(cell instanceof Date)) {
    column.numbers += 1;
    if (Number.isInteger(number)) column.whole += 1;
    if (!isFloat32(number)) column.tooLarge += 1;
  }
  if (cells.truth(cell) !== undefined) column.truths += 1;
  const text = cells.text(written);
  if (text === undefined && typeof cell !== 'string') column.objects += 1;
  if (text !== undefined) {
    const times = column.values.get(text);
    column.values.set(times === undefined ? copied(text) : text, (times ?? 0) + 1);
    if (column.values.size > mostRows) forgetRare(column);
  }
  if (typeof cell === 'bigint' && isBeyondFloat64(String(cell))) column.codes += 1;
  if (typeof cell === 'string') lookAtText(column, cell.trim(), number !== undefined);
}

/** Forgets the rarer half of a column's values. */
function forgetRare(column: Column): void {
  const frequent = [...column.values].sort(([, a], [, b]) => b - a).slice(0, mostRows / 2);
  column.values = new Map(frequent);
  column.hasForgotten = true;
}

/** The values of a column as numbers are written in JSON; others as they are. */
export function plainValuesOf(column: Column): readonly string[] {
  const { numberOf } = column;
  return [...column.values.keys()].map((text) =>
    numberOf ? String(numberOf(text) ?? text) : String(withDecimalPoint(text, column)),
  );
}

function lookAtText(column: Column, text: string, isNumber: boolean): void {
  if (cells.text(text) === undefined) column.longTexts += 1;
  const date = isoDate.exec(text);
  if (date !== null && timeOf(text, cells) !== undefined) {
    column.dateTexts += 1;
    if (date[1] !== undefined) column.timeTexts += 1;
  } else if (date !== null) column.otherDates += 1;
  if (otherDate.test(text) || monthOfYear.test(text)) column.otherDates += 1;
  if (/^0\d+$/.test(text) || isBeyondFloat64(text)) column.codes += 1;
  if (isNumber && text.includes('.')) {
    column.points += 1;
    if (/^[-+]?[1-9]\d{0,2}\.\d{3}$/.test(text)) {
      column.groups += 1;
      if (text.endsWith('0')) column.roundGroups += 1;
    }
  }
  if (!isNumber && looksWritten(text)) column.writtenNumbers += 1;
  if (text.split(/\s+/, 3).length === 3) column.sentences += 1;
  else if (isUnspaced.test(text)) column.unspaced += 1;
}

/** Eight letters of scripts that put no spaces between words, as three words may have. */
const isUnspaced = new RegExp(
  `(?:[${['Han', 'Hiragana', 'Katakana', 'Thai', 'Lao', 'Khmer', 'Myanmar']
    .map((script) => `\\p{Script=${script}}`)
    .join('')}].*?){8}`,
  'su',
);

/** Whether a text is a whole number that is another one in float64, as ids of 64 bits may be. */
function isBeyondFloat64(text: string): boolean {
  return /^[-+]?\d{16,}$/.test(text) && !Number.isSafeInteger(Number(text));
}

/** The texts of a column that are no numbers, the most frequent first. */
export function nonNumbersOf(column: Column): readonly string[] {
  const plain = plainValuesOf(column);
  return [...column.values]
    .filter((_, place) => numerals.number(plain[place]) === undefined)
    .sort(([, a], [, b]) => b - a)
    .map(([text]) => text);
}
