import { cellsOf, cellsSchema } from '../features/cells.ts';
import { hashOfCross } from '../features/kinds/cross.ts';
import type { SpecInput } from '../spec/spec.ts';
import { type Column, plainValuesOf } from './column-profile.ts';

/** A feature of a draft, and the column that it is of. */
export type Drafted = {
  readonly name: string;
  readonly column: Column;
  readonly feature: SpecInput['features'][string];
};

/** Numbers of no more values may be codes, hours, grades: whole ones, and others. */
const [mostValues, mostFractions] = [64, 12];
/** Rows of each value, on average, from which it can be learnt by itself; and of all of a draft's. */
const [rowsOfValue, rowsOfAnyValue] = [20, 10];
/** Columns up to which that is worth its time: those of a few numbers, and those of two. */
const [mostColumns, mostTruths] = [16, 40];

const cells = cellsOf(cellsSchema.parse({}));

/** A feature of a column beside another one. */
export type Beside = {
  readonly name: string;
  readonly of: Column;
  readonly feature: SpecInput['features'][string];
};

/**
 * What is learnt beside numbers that are few: each as a value of its own. An hour or a code says
 * more by itself than by its size, and so do flags where several say something together.
 */
export function valuesBeside(drafted: readonly Drafted[]): readonly Beside[] {
  const few = drafted.flatMap(({ name, column, feature }) => {
    if (feature.type !== 'number' || column.hasForgotten) return [];
    const values = valuesOf(column);
    // (What is measured has decimals, and many values.)
    const areWhole = values.every((value) => /^-?\d+$/.test(value));
    if (!areWhole && values.length > mostFractions) return [];
    const isFew = values.length <= mostValues && column.present >= rowsOfValue * values.length;
    return isFew ? [{ name, column, values }] : [];
  });
  const truths = few.filter(({ values }) => values.length <= 2);
  const others = few.filter(({ values }) => values.length > 2);
  const chosen = withinRows([
    ...(others.length <= mostColumns ? others : []),
    ...(truths.length <= mostTruths ? truths : []),
  ]);
  return chosen.map(({ name, column, values }) => {
    // (What a later sample may lack is a value, too.)
    const all = [...values, 'missing'];
    const dimensions = Math.max(2, Math.ceil(Math.sqrt(values.length)));
    const buckets = bucketsFor(all);
    const feature = { type: 'cross' as const, of: [name], buckets, dimensions };
    return { name: `${name}_value`, of: column, feature };
  });
}

/**
 * Those with the fewest values, of as many as there are rows for in all; of columns of as many
 * values all or none.
 */
function withinRows<Few extends { readonly column: Column; readonly values: readonly string[] }>(
  few: readonly Few[],
): readonly Few[] {
  const sizes = few.map(({ values }) => values.length);
  return few.filter(({ column, values: { length: most } }) => {
    const all = sizes.reduce((sum, size) => sum + (size <= most ? size : 0), 0);
    return rowsOfAnyValue * all <= column.present;
  });
}

/** The numbers of a column, as a cross has them. */
function valuesOf(column: Column): readonly string[] {
  const numbers = plainValuesOf(column).flatMap((value) => cells.number(value) ?? []);
  return [...new Set(numbers.map((number) => cells.text(number) ?? ''))];
}

/** The fewest buckets in which no two of some values share one. */
function bucketsFor(values: readonly string[]): number {
  const hashes = values.map((value) => hashOfCross([value]));
  for (let buckets = 2 * values.length; ; buckets++)
    if (new Set(hashes.map((hash) => hash % buckets)).size === values.length) return buckets;
}
