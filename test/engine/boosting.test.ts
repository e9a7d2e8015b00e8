import { describe, expect, it } from 'vitest';
import { binned } from '../../lib/engine/experts/bins.ts';
import { boosted } from '../../lib/engine/experts/boosting.ts';
import { shrinkage, treeGrower } from '../../lib/engine/experts/tree-growth.ts';
import { noTrees, readyTrees, type Shape, toScores } from '../../lib/engine/experts/tree-scores.ts';
import { hashIntegers } from '../../lib/features/hash.ts';

const draw = (...place: number[]) => (hashIntegers(7, ...place) + 0.5) / 2 ** 32;
const tasks: readonly (readonly [Shape['task'], outputs: number])[] = [
  ['regression', 1],
  ['regression', 3],
  ['binary', 1],
  ['multiclass', 4],
];
const rows = 300;
/** Two numbers, the second of few values, one that is the same, and a category. */
const columns = [
  Float32Array.from({ length: rows }, (_, row) => draw(row, 0) - 0.5),
  Float32Array.from({ length: rows }, (_, row) => Math.floor(5 * draw(row, 1))),
  new Float32Array(rows).fill(7),
  Float32Array.from({ length: rows }, (_, row) => Math.floor(6 * draw(row, 2))),
];
const numbers = 3;
const rowAt = (row: number) => Float32Array.from(columns, (values) => values[row] ?? 0);
const weights = Float64Array.from({ length: rows }, (_, row) => 0.5 + draw(row, 3));

function labelsOf(task: Shape['task'], outputs: number): Float32Array {
  const width = task === 'regression' ? outputs : 1;
  return Float32Array.from({ length: rows * width }, (_, i) => {
    const [a = 0, b = 0, , c = 0] = rowAt(Math.floor(i / width));
    const value = (a > 0 === b > 2 ? 1 : -1) + (c === 4 ? (i % width) + 1 : 0);
    if (task === 'regression') return value;
    return task === 'binary' ? Number(value > 0) : c === 4 ? 3 : value > 0 ? 2 : 1;
  });
}

describe.each(tasks)('trees of a %s with %i outputs', (task, outputs) => {
  const labels = labelsOf(task, outputs);
  const shapeOf = (trees: number): Shape => ({
    ...{ trees, lasting: trees, leaves: 6, rate: 0.3, outputs, task, seed: 3, isFine: true },
  });
  const told = { labels, weights, units: new Float64Array(outputs).fill(1) };
  const errorOf = (trees: number) => {
    const shape = shapeOf(trees);
    const own = readyTrees(boosted(binned(columns, numbers, true), told, shape, noTrees(shape)));
    const scores = new Float64Array(outputs);
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      toScores(own, shape, { row: rowAt(row), numbers }, scores);
      if (task === 'regression')
        scores.forEach((score, output) => {
          sum += Math.abs(score - (labels[row * outputs + output] ?? 0)) / outputs;
        });
      else if (task === 'binary') sum += Number((scores[0] ?? 0) > 0 !== (labels[row] === 1));
      else sum += Number(scores.indexOf(Math.max(...scores)) !== labels[row]);
    }
    return sum / rows;
  };

  it('follow what rows are told, the better the more there are', () => {
    const [one, some, many] = [errorOf(1), errorOf(8), errorOf(60)];
    expect(some).toBeLessThanOrEqual(one);
    expect(many).toBeLessThanOrEqual(some);
    expect(many).toBeLessThan(0.06);
  });
});

describe('a tree', () => {
  const slopes = Float64Array.from({ length: rows }, (_, row) => draw(row, 4) - draw(row, 5) ** 2);
  const curvatures = Float64Array.from({ length: rows }, (_, row) => draw(row, 6) / 4);
  const sumsOf = (isIn: (row: number) => boolean) => {
    let [slope, curvature] = [0, 0];
    for (let row = 0; row < rows; row++)
      if (isIn(row)) {
        slope += slopes[row] ?? 0;
        curvature += curvatures[row] ?? 0;
      }
    return { curvature, gain: slope ** 2 / (curvature + shrinkage) };
  };

  it('splits first what gains most, as a search of all splits finds it', () => {
    const bins = binned(columns, numbers, true);
    const grown = treeGrower(bins, 2)({ slopes, curvatures });
    let most = 0;
    columns.forEach((values, column) => {
      for (const cut of bins.cuts[column] ?? []) {
        const isLeft = (row: number) =>
          column < numbers ? (values[row] ?? 0) <= cut : values[row] === cut;
        const halves = [sumsOf(isLeft), sumsOf((row) => !isLeft(row))];
        if (halves.some(({ curvature }) => curvature < 1)) continue;
        most = Math.max(most, (halves[0]?.gain ?? 0) + (halves[1]?.gain ?? 0));
      }
    });
    const leaves = grown.leaves.map(({ start, end }) => {
      const own = new Set(grown.order.subarray(start, end));
      return sumsOf((row) => own.has(row)).gain;
    });
    expect(leaves.length).toBe(2);
    expect(leaves.reduce((sum, gain) => sum + gain, 0)).toBeCloseTo(most, 9);
  });

  it('has each row in the leaf to which its splits lead', () => {
    const grown = treeGrower(binned(columns, numbers, true), 12)({ slopes, curvatures });
    expect(grown.leaves.length).toBeGreaterThan(6);
    expect([...grown.order].sort((a, b) => a - b)).toEqual(
      Array.from({ length: rows }, (_, i) => i),
    );
    grown.leaves.forEach(({ start, end }, leaf) => {
      for (const row of grown.order.subarray(start, end)) {
        let at = 0;
        while (at >= 0) {
          const column = grown.columns[at] ?? 0;
          const [value = 0, cut = 0] = [rowAt(row)[column], grown.cuts[at]];
          const isRight = column < numbers ? value > cut : value !== cut;
          at = grown.children[at]?.[Number(isRight)] ?? -1;
        }
        expect(-1 - at).toBe(leaf);
      }
    });
  });
});

describe('bins', () => {
  it('tell few values apart, and of many as many rows each', () => {
    const { bins, cuts } = binned(columns, numbers, true);
    expect(cuts[1]?.length).toBe(4);
    for (const [i, cut] of cuts[1]?.entries() ?? [])
      expect(Math.abs(cut - i - 0.5256584)).toBeLessThan(1e-6);
    expect(cuts[2]?.length).toBe(0);
    expect(cuts[3]?.length).toBe(6);
    const counts = new Float64Array(64);
    for (const bin of bins.subarray(0, rows)) counts[bin] = (counts[bin] ?? 0) + 1;
    expect(Math.max(...counts)).toBeLessThan(8);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it('do not tell apart what rounding did, and cut below the greater of two neighbours', () => {
    const near = Float32Array.of(0.1, 0.1000001, 0.3, 0.3000001);
    expect(binned([near], 1, true).cuts[0]?.length).toBe(1);
    const [low, high] = [1, 1 + 2 ** -16];
    const [cut = 0] = binned([Float32Array.of(low, high)], 1, true).cuts[0] ?? [];
    expect(cut).toBeGreaterThanOrEqual(low);
    expect(cut).toBeLessThan(high);
  });

  it('tell numbers apart in whatever unit they are, but not one that is far away', () => {
    const tiny = Float32Array.from({ length: 50 }, (_, i) => 1e-9 * (i % 5));
    expect(binned([tiny], 1, true).cuts[0]?.length).toBe(4);
    const outlier = Float32Array.from({ length: 50 }, (_, i) => (i === 0 ? 1e9 : i % 5));
    expect(binned([outlier], 1, true).cuts[0]?.length).toBe(5);
  });

  it('tell rarer values of a category from the most frequent ones alone', () => {
    const many = Float32Array.from({ length: 400 }, (_, i) => (i < 200 ? i : i % 3));
    const { bins, cuts } = binned([many], 0, false);
    expect(cuts[0]?.length).toBe(63);
    expect([...(cuts[0] ?? [])].slice(0, 3).sort()).toEqual([0, 1, 2]);
    expect(bins[150]).toBe(0);
  });
});
