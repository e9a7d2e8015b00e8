import type { Bins } from './bins.ts';

/** What is added to the curvature of a leaf, so that few rows say little. */
export const shrinkage = 2;
/** The least curvature of a leaf. */
const leastCurvature = 1;
/** Slope and curvature of each bin, one after the other. */
const cellsOfColumn = 2 * 64;

/** What a tree is to follow: how far each row is to go up, and how fast that falls; [rows]. */
export type Slopes = { readonly slopes: Float64Array; readonly curvatures: Float64Array };

/** A tree by its splits, in the order in which they were found; the first one is the root. */
export type Splits = {
  /** Which column each looks at, and what at; see {@link Bins}. */
  readonly columns: number[];
  readonly cuts: number[];
  /** Where each goes on to, left and right: a split, or −1 less a leaf. */
  readonly children: [left: number, right: number][];
};

/** A tree with the rows of its leaves. */
export type Grown = Splits & {
  /** All rows, those of a leaf one after another. */
  readonly order: Int32Array;
  /** Where each leaf's rows are in that. */
  readonly leaves: readonly { readonly start: number; readonly end: number }[];
};

/** Rows that are not told apart yet. */
type Leaf = {
  readonly start: number;
  readonly end: number;
  /** Of all its rows together. */
  readonly slope: number;
  readonly curvature: number;
  /** The same of each bin, [columns, bins, 2]. */
  readonly sums: Float64Array;
  /** The best way to split it, if any gains. */
  readonly best: Split | undefined;
};

type Split = { readonly column: number; readonly bin: number; readonly gain: number };

/**
 * Grows a tree, split by split, each time the one that gains most by a step of Newton in both its
 * leaves (Chen and Guestrin 2016; leaf by leaf and by histograms, Ke et al. 2017).
 *
 * @param most how many leaves it has at most
 */
export function growTree(bins: Bins, following: Slopes, most: number): Grown {
  const { rows } = bins;
  const order = Int32Array.from({ length: rows }, (_, row) => row);
  const spare = new Int32Array(rows);
  const root = { start: 0, end: rows, ...totals(following, order, 0, rows) };
  const rootSums = sumsOf(bins, following, order.subarray(0, rows));
  const leaves: Leaf[] = [{ ...root, sums: rootSums, best: bestSplit(bins, root, rootSums) }];
  const splits: Splits = { columns: [], cuts: [], children: [] };
  const parents: [split: number, side: 0 | 1][] = [];
  while (leaves.length < most) {
    const at = mostGaining(leaves);
    const { best, start, end, sums } = leaves[at] ?? {};
    if (best === undefined || start === undefined || end === undefined || sums === undefined) break;
    const middle = partition(bins, best, { order, spare, start, end });
    const split = splits.columns.length;
    splits.columns.push(best.column);
    splits.cuts.push(bins.cuts[best.column]?.[best.bin] ?? 0);
    splits.children.push([-1 - at, -1 - leaves.length]);
    const [parent, side] = parents[at] ?? [];
    const above = parent === undefined ? undefined : splits.children[parent];
    if (above !== undefined && side !== undefined) above[side] = split;
    const halves = [
      { start, end: middle, ...totals(following, order, start, middle) },
      { start: middle, end, ...totals(following, order, middle, end) },
    ] as const;
    // (The last ones are not split.)
    const isLast = leaves.length + 1 === most;
    const own = isLast ? [sums, sums] : sumsOfHalves(bins, following, { order, halves, sums });
    const [left, right] = halves.map((half, side) => {
      const ofHalf = own[side] ?? sums;
      return { ...half, sums: ofHalf, best: isLast ? undefined : bestSplit(bins, half, ofHalf) };
    });
    if (left === undefined || right === undefined) break;
    leaves[at] = left;
    leaves.push(right);
    parents[at] = [split, 0];
    parents[leaves.length - 1] = [split, 1];
  }
  return { ...splits, order, leaves };
}

function mostGaining(leaves: readonly Leaf[]): number {
  let at = 0;
  leaves.forEach(({ best }, i) => {
    if ((best?.gain ?? 0) > (leaves[at]?.best?.gain ?? 0)) at = i;
  });
  return at;
}

type Totals = Pick<Leaf, 'slope' | 'curvature'>;

function totals(
  { slopes, curvatures }: Slopes,
  order: Int32Array,
  start: number,
  end: number,
): Totals {
  let [slope, curvature] = [0, 0];
  for (let i = start; i < end; i++) {
    const row = order[i] ?? 0;
    slope += slopes[row] ?? 0;
    curvature += curvatures[row] ?? 0;
  }
  return { slope, curvature };
}

function sumsOf({ bins, cuts, rows }: Bins, following: Slopes, own: Int32Array): Float64Array {
  const { slopes, curvatures } = following;
  const sums = new Float64Array(cuts.length * cellsOfColumn);
  for (let column = 0; column < cuts.length; column++) {
    if (cuts[column]?.length === 0) continue;
    const [first, cells] = [column * rows, column * cellsOfColumn];
    for (let i = 0; i < own.length; i++) {
      const row = own[i] ?? 0;
      const cell = cells + 2 * (bins[first + row] ?? 0);
      sums[cell] = (sums[cell] ?? 0) + (slopes[row] ?? 0);
      sums[cell + 1] = (sums[cell + 1] ?? 0) + (curvatures[row] ?? 0);
    }
  }
  return sums;
}

/** Those of both halves: of the smaller one added up, of the other what is left. */
function sumsOfHalves(
  bins: Bins,
  following: Slopes,
  {
    order,
    halves: [left, right],
    sums,
  }: {
    readonly order: Int32Array;
    readonly halves: readonly [Range, Range];
    readonly sums: Float64Array;
  },
): [left: Float64Array, right: Float64Array] {
  const isLeft = left.end - left.start <= right.end - right.start;
  const { start, end } = isLeft ? left : right;
  const own = sumsOf(bins, following, order.subarray(start, end));
  bins.cuts.forEach(({ length }, column) => {
    const first = column * cellsOfColumn;
    for (let cell = first; cell < first + 2 * (length + 1); cell++)
      sums[cell] = (sums[cell] ?? 0) - (own[cell] ?? 0);
  });
  return isLeft ? [own, sums] : [sums, own];
}

type Range = { readonly start: number; readonly end: number };

/** What of a split gains most; of two that gain as much the first one. */
function bestSplit(
  { cuts, numbers }: Bins,
  { slope, curvature }: Totals,
  sums: Float64Array,
): Split | undefined {
  let best: Split | undefined;
  let most = (slope * slope) / (curvature + shrinkage);
  if (curvature < 2 * leastCurvature) return undefined;
  const whole = most;
  for (let column = 0; column < cuts.length; column++) {
    const isNumber = column < numbers;
    const bins = cuts[column]?.length ?? 0;
    // (The cells of a category begin with those of rarer values.)
    const first = column * cellsOfColumn + (isNumber ? 0 : 2);
    let [own, ownCurvature] = [0, 0];
    for (let bin = 0; bin < bins; bin++) {
      const [more = 0, moreCurvature = 0] = [sums[first + 2 * bin], sums[first + 2 * bin + 1]];
      if (moreCurvature <= 0) continue;
      own = isNumber ? own + more : more;
      ownCurvature = isNumber ? ownCurvature + moreCurvature : moreCurvature;
      const rest = curvature - ownCurvature;
      if (ownCurvature < leastCurvature || rest < leastCurvature) continue;
      const other = slope - own;
      const gain = (own * own) / (ownCurvature + shrinkage) + (other * other) / (rest + shrinkage);
      if (gain <= most) continue;
      most = gain;
      best = { column, bin, gain: gain - whole };
    }
  }
  return best;
}

/** Puts the rows of a leaf that go left before those that go right. @returns where these begin */
function partition(
  { bins, numbers, rows }: Bins,
  { column, bin }: Split,
  { order, spare, start, end }: { readonly order: Int32Array; readonly spare: Int32Array } & Range,
): number {
  const isNumber = column < numbers;
  let [middle, right] = [start, 0];
  for (let i = start; i < end; i++) {
    const row = order[i] ?? 0;
    const own = bins[column * rows + row] ?? 0;
    if (isNumber ? own <= bin : own === bin + 1) order[middle++] = row;
    else spare[right++] = row;
  }
  order.set(spare.subarray(0, right), middle);
  return middle;
}
