import { listNames } from '../parse.ts';
import { type Column, plainValuesOf } from './column-profile.ts';

/** So many times the distance between its quartiles from the middle, a number is far. */
const far = 15;

/** How a column of numbers is scaled of which some are far from the others. */
export type FarScale = { readonly log: true } | { readonly standardize: 'robust' };

/**
 * By the logarithm, or by quartiles where some are negative: a mean and a deviation would be those
 * of the few. Undefined where none is far.
 */
export function farScaleOf(column: Column): FarScale | undefined {
  const { least, middle, most, spread } = quartilesOf(column);
  if (!(spread > 0 && Math.max(most - middle, middle - least) > far * spread)) return undefined;
  return least >= 0 ? { log: true } : { standardize: 'robust' };
}

/** What is said of the columns whose scale is by {@link farScaleOf}. */
export function farDoubts(scales: ReadonlyMap<string, FarScale>): readonly string[] {
  const said = (isLog: boolean, how: string) => {
    const names = [...scales].flatMap(([name, scale]) => ('log' in scale === isLog ? [name] : []));
    if (names.length === 0) return [];
    return [`${listNames(names)}: some numbers are far from the others, and all are ${how}`];
  };
  return [...said(true, 'learnt by their logarithms'), ...said(false, 'scaled by their quartiles')];
}

/** Where the numbers of a column lie; and how far its quartiles are from each other. */
function quartilesOf(column: Column) {
  const counts = [...column.values.values()];
  const known = plainValuesOf(column)
    .map((text, i) => ({ number: Number(text), count: counts[i] ?? 0 }))
    .filter(({ number }) => Number.isFinite(number))
    .sort((a, b) => a.number - b.number);
  const total = known.reduce((sum, { count }) => sum + count, 0);
  const at = (share: number) => {
    let before = 0;
    for (const { number, count } of known) {
      before += count;
      if (before > share * total) return number;
    }
    return Number.NaN;
  };
  return {
    least: known[0]?.number ?? Number.NaN,
    middle: at(0.5),
    most: known.at(-1)?.number ?? Number.NaN,
    spread: at(0.75) - at(0.25),
  };
}
