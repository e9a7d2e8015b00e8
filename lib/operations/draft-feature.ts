import { cellsSchema } from '../features/cells.ts';
import { columnName } from '../features/kinds/kind.ts';
import type { Task } from '../features/task.ts';
import { limits } from '../limits.ts';
import { listNames } from '../parse.ts';
import type { SpecInput } from '../spec/spec.ts';
import { type Column, nonNumbersOf, plainValuesOf } from './column-profile.ts';
import { learntAsMean, missingValues, standInFor } from './draft-missing.ts';
import { isProse, listedValues, proseOf } from './draft-prose.ts';
import { areScaled, type FarScale, farScaleOf } from './draft-scale.ts';
import { isTime, timeDoubts } from './draft-times.ts';
import {
  alikeDoubts,
  areTruths,
  measuredAs,
  textsAmongNumbers,
  wordDoubts,
} from './draft-words.ts';

/** A column with a larger share of numbers is one of numbers, with other words in it. */
export const mostlyNumbers = 0.9;
/** Numbers of no more values may be codes. */
const fewNumbers = 20;
/** So many different words in a column of numbers may stand for a missing one. */
const mostMissingWords = 5;
/** Words that stand for a missing value, those of every spec among them. */
const mostWords = 100 - cellsSchema.parse({}).missing.length;

/** Why a column says nothing, or says too much. */
export function reasonToLeave(column: Column): string | undefined {
  const { present, values, whole, vectors, missing } = column;
  const numbers = areCodes(column) ? 0 : column.numbers;
  if (column.name === '') return 'it has no name';
  if (!columnName.safeParse(column.name).success)
    return `its name has more than ${limits.categoryCharacters} characters`;
  if (present === 0) return 'it is always missing';
  if (column.objects > 0.5 * present)
    return 'it has objects, or lists that are not of numbers; write each field as a column';
  if (vectors.size > 0) {
    const [[, rows] = [0, 0]] = vectorsOf(column);
    const isMost = vectors.size === 1 || rows > mostlyNumbers * present;
    return isMost ? undefined : `its lists differ in length: ${lengthsOf(column)}`;
  }
  const unseen = missing + column.longTexts + column.objects;
  if (values.size === 1 && unseen === 0) return 'it is always the same';
  if (isTime(column)) return undefined;
  if (column.otherDates > 0.5 * present)
    return `its dates are written as ${textsOf(column)}; 2024-01-31 can be learnt as a timestamp`;
  if (hasWrittenNumbers(column))
    return `its numbers are written as ${textsOf(column)}; write them like 2503.28 to learn them`;
  if (isProse(column)) return undefined;
  const isKey = values.size === present && present > 100;
  const isNearlyKey = values.size > 0.7 * present && present > 100 && numbers < 0.5 * present;
  const measured = isNearlyKey ? measuredAs(column) : undefined;
  if (measured !== undefined) return measured;
  if (column.longTexts > 0.5 * present)
    return `its texts are longer than ${limits.categoryCharacters} characters`;
  if (isKey && numbers < present) return 'every row has its own value, like an id';
  if (isNearlyKey) return 'nearly every row has a word of its own, like a name';
  if (isKey && whole === present && isCounting(column)) return 'it counts the rows, like an id';
  return undefined;
}

/** Some values of a column, such as are no numbers if there are some. */
export function textsOf(column: Column): string {
  const texts = nonNumbersOf(column);
  const shown = texts.length > 0 ? texts : [...column.values.keys()];
  return listNames(shown.slice(0, 2).map((text) => JSON.stringify(text)));
}

/** Whether numbers are written like codes: 01067 is another one than 1067. */
export function areCodes({ codes, numbers, present }: Column): boolean {
  return numbers === present && codes > 0.05 * present;
}

/** The lengths that lists of a column have, and how many rows have one of each, most first. */
function vectorsOf({ vectors }: Column): readonly (readonly [length: number, rows: number])[] {
  return [...vectors].sort(([, a], [, b]) => b - a);
}

function lengthsOf(column: Column): string {
  const lengths = vectorsOf(column).slice(0, 3);
  return lengths.map(([length, rows]) => `${rows} of ${length}`).join(', ');
}

/**
 * Whether most values are numbers, some of which have signs of thousands, money or percent: more
 * than such a share.
 */
export function hasWrittenNumbers(column: Column, share = 0.05): boolean {
  const { present, writtenNumbers } = column;
  const numbers = areCodes(column) ? 0 : column.numbers;
  // (A few may be refused as rows of their own.)
  return writtenNumbers > share * present && writtenNumbers + numbers > mostlyNumbers * present;
}

/** Whether whole numbers are all there from the lowest to the highest, and are no years. */
function isCounting(column: Column): boolean {
  const texts = plainValuesOf(column).map((text) => text.replace(/\.0+$/, ''));
  if (!texts.every((text) => /^[+-]?\d+$/.test(text))) return false;
  // (Ids of 64 bits have more digits than float64.)
  const numbers = texts.map(BigInt);
  const least = numbers.reduce((a, b) => (b < a ? b : a));
  const most = numbers.reduce((a, b) => (b > a ? b : a));
  const areYears = least >= 1500 && most <= 2100;
  return !areYears && most - least + 1n === BigInt(numbers.length);
}

/** A number of nines, such as -999, that lies three times as far out as all others together. */
function markOf(column: Column): string | undefined {
  const values = plainValuesOf(column);
  const marks = values.filter((text) => /^-?99+(\.0+)?$/.test(text));
  const numbers = values.map(Number).filter(Number.isFinite);
  return marks.find((mark) => {
    const others = numbers.filter((number) => number !== Number(mark));
    const least = others.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const most = others.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const away = Math.max(least - Number(mark), Number(mark) - most);
    return most > least && away > 3 * (most - least);
  });
}

/** A number; what is missing is learnt as the mean. */
function numberOf(
  column: Column,
  { doubts, far, task }: Pick<Findings, 'doubts' | 'far' | 'task'>,
  words = 0,
): SpecInput['features'][string] {
  const missing = column.missing + words;
  if (column.tooLarge > 0)
    doubts.push(
      `${column.name}: ${column.tooLarge} ${column.tooLarge === 1 ? 'number is' : 'numbers are'} ` +
        'beyond ±3.4e38, and refused',
    );
  const mark = markOf(column);
  if (mark !== undefined)
    doubts.push(
      `${column.name}: ${mark} is far from all others; if it stands for a missing number, say so: ` +
        `"cells": {"missing": ["", "${mark}"]}`,
    );
  const found = mark === undefined ? farScaleOf(column) : undefined;
  if (found !== undefined) far.set(column.name, found);
  const scale = areScaled(task) ? found : undefined;
  if (missing === 0) return { type: 'number', ...scale };
  doubts.push(learntAsMean(column.name, missing));
  return { type: 'number', ...scale, ...standInFor(missing) };
}

/** What a draft has found so far. */
export type Findings = {
  readonly task: Task;
  readonly doubts: string[];
  /** Texts that stand for a missing number, in every column. */
  readonly words: Set<string>;
  /** Texts that cannot be among them, in small letters: they say something elsewhere. */
  readonly meant: ReadonlySet<string>;
  /** Columns of whole numbers that are codes, by what they say of the label. */
  readonly codes: ReadonlySet<string>;
  /** Columns that have a few numbers, and how many. */
  readonly few: Map<string, number>;
  /** Columns of words of true and false. */
  readonly flags: string[];
  /** Columns that are scaled otherwise, since some of their numbers are far from the others. */
  readonly far: Map<string, FarScale>;
};

/** The feature that a column is that has no times, by its looks. */
export function featureOf(column: Column, findings: Findings): SpecInput['features'][string] {
  const { doubts, words, meant, codes, few } = findings;
  const { name, present, numbers, values, vectors, missing } = column;
  if (vectors.size > 0) {
    const [[length, rows] = [0, 0]] = vectorsOf(column);
    const others = present - rows;
    if (others > 0)
      doubts.push(
        `${name}: ${others} ${others === 1 ? 'row has' : 'rows have'} no such list of numbers; such rows are refused`,
      );
    if (missing > 0) doubts.push(learntAsMean(name, missing));
    return { type: 'vector', length, standardize: true, ...standInFor(missing) };
  }
  if (isProse(column)) return proseOf(column, doubts);
  if (areCodes(column)) {
    doubts.push(
      `${name}: its numbers are written like codes (${textsOf(column)}), and learnt as values of their ` +
        'own; for quantities, write {"type": "number"}',
    );
    return categoryOf(column, doubts);
  }
  if (areTruths(column)) {
    if (numbers < present) findings.flags.push(name);
    return numberOf(column, findings);
  }
  if (numbers === present) {
    if (codes.has(name)) {
      doubts.push(
        `${name}: its whole numbers say more of the label one by one than by their size, and are ` +
          'learnt as values of their own, like codes; for quantities, write {"type": "number"}',
      );
      return categoryOf(column, doubts);
    }
    const times = timeDoubts(column);
    doubts.push(...times, ...textsAmongNumbers(column).doubts);
    if (times.length === 0 && values.size === present && column.whole === present && present > 100)
      doubts.push(`${name}: no two of its whole numbers are alike; if they are ids, leave it out`);
    if (values.size <= fewNumbers && present > 100) few.set(name, values.size);
    return numberOf(column, findings);
  }
  if (isOfNumbers(column, meant)) {
    const { texts, read, doubts: told } = textsAmongNumbers(column);
    const others = present - numbers - read;
    doubts.push(...told);
    const isRoom = words.size + texts.length <= mostWords;
    const areMissing =
      texts.length > 0 &&
      texts.length <= mostMissingWords &&
      isRoom &&
      column.longTexts === 0 &&
      !texts.some((text) => meant.has(text.trim().toLowerCase()));
    if (areMissing) for (const text of texts) words.add(text);
    if (others > 0)
      doubts.push(
        `${name}: ${others} of ${present} values are no numbers` +
          `${texts.length === 0 ? '' : ` (${listNames(texts)})`}; ` +
          (areMissing ? 'they count as missing, in every column' : 'such rows are refused'),
      );
    return numberOf(column, findings, areMissing ? others : 0);
  }
  return categoryOf(column, doubts);
}

/** Whether texts among the numbers of a column are few, or all the same one beside many. */
function isOfNumbers(column: Column, meant: ReadonlySet<string>): boolean {
  const { numbers, present, longTexts, values } = column;
  if (numbers > mostlyNumbers * present) return true;
  if (numbers <= 0.5 * present || values.size <= fewNumbers || longTexts > 0) return false;
  const [word, ...others] = textsAmongNumbers(column).texts;
  return word !== undefined && others.length === 0 && !meant.has(word.trim().toLowerCase());
}

/** Of up to so many values each has a place of its own, as it comes. */
const mostPlaces = 4_096;

/** A category: its values, if they are few; places for twice as many, or buckets. */
function categoryOf(column: Column, doubts: string[]): SpecInput['features'][string] {
  doubts.push(...wordDoubts(column));
  const { name, values, missing } = column;
  const refused = column.longTexts + column.objects;
  if (refused > 0)
    doubts.push(
      `${name}: ${refused} values are objects, lists, or texts of more than ` +
        `${limits.categoryCharacters} characters; such rows are refused`,
    );
  const dimensions = Math.min(16, Math.max(2, Math.ceil(Math.sqrt(values.size))));
  if (missing > 0)
    doubts.push(`${name}: ${missingValues(missing)} learnt as one of their own, "missing"`);
  doubts.push(...alikeDoubts(column, { as: name, are: 'values' }));
  const stands = missing > 0 ? { missing: 'missing' } : {};
  const listed = new Set([...values.keys(), ...(missing > 0 ? ['missing'] : [])]);
  const common = { type: 'category', dimensions, ...stands } as const;
  if (values.size <= listedValues) return { ...common, values: [...listed].sort() };
  const size = 2 ** Math.ceil(Math.log2(2 * values.size));
  return size <= mostPlaces
    ? { ...common, vocabulary: { size, admitAfter: 1 } }
    : { ...common, buckets: size };
}
