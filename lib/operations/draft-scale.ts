import { cellsOf, cellsSchema, isFloat32 } from '../features/cells.ts';
import type { Task } from '../features/task.ts';
import { listNames } from '../parse.ts';
import { type Column, plainValuesOf } from './column-profile.ts';

/** So many times the distance between its quartiles from the middle, a number is far. */
const far = 15;
/** Numbers whose middle is further from 0, by that distance, span no powers of ten. */
const near = 4;
/** Below it a logarithm of 1 + x is x. */
const leastOfLogarithm = 0.5;

/** How a column of numbers is scaled of which some are far from the others. */
export type FarScale = { readonly log: true } | { readonly standardize: 'robust' };

/**
 * By the logarithm where what is far is large, and by quartiles otherwise: a mean and a deviation
 * would be those of the few. Undefined where none is far, or all are too small for a logarithm.
 */
export function farScaleOf(column: Column): FarScale | undefined {
  const { least, middle, most, upper, spread } = quartilesOf(column);
  const isVaried = spread > 1e-9 * Math.abs(middle);
  if (!isVaried || Math.max(most - middle, middle - least) <= far * spread) return undefined;
  const isOfSizes = least >= 0 && most - middle > far * spread && middle <= near * spread;
  if (!isOfSizes) return { standardize: 'robust' };
  return upper >= leastOfLogarithm ? { log: true } : undefined;
}

/** What is said of the columns whose scale is by {@link farScaleOf}. */
export function farDoubts(scales: ReadonlyMap<string, FarScale>, task: Task): readonly string[] {
  const said = (isLog: boolean, how: string, way: string) => {
    const names = [...scales].flatMap(([name, scale]) => ('log' in scale === isLog ? [name] : []));
    if (names.length === 0) return [];
    const which = `${listNames(names)}: some numbers are far from the others`;
    return [
      areScaled(task)
        ? `${which}, and all are ${how}`
        : `${which}; unless labels grow with them, write ${way}`,
    ];
  };
  return [
    ...said(true, 'learnt by their logarithms', '"log": true'),
    ...said(false, 'scaled by their quartiles', '"standardize": "robust"'),
  ];
}

/**
 * Whether a draft scales numbers so. A regression's label may grow with those that are far, of which
 * little would be left.
 */
export function areScaled(task: Task): boolean {
  return task !== 'regression';
}

const cells = cellsOf(cellsSchema.parse({}));

/** Where the numbers of a column lie; and how far its quartiles are from each other. */
function quartilesOf(column: Column) {
  const counts = [...column.values.values()];
  const known = plainValuesOf(column)
    .map((text, i) => ({ number: cells.number(text) ?? Number.NaN, count: counts[i] ?? 0 }))
    .filter(({ number }) => isFloat32(number))
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
    upper: at(0.75),
    spread: at(0.75) - at(0.25),
  };
}
