import type { Bins } from './bins.ts';

/** What is added to the curvature of a leaf, so that few rows say little. */
export const shrinkage = 2;
/** The least curvature of a leaf. */
const leastCurvature = 1;
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
  /** The same of each bin of each column, one after the other; see {@link Workshop}. */
  readonly sums: Float64Array;
  /** The best way to split it, if any gains. */
  readonly best: Split | undefined;
};

type Split = { readonly column: number; readonly bin: number; readonly gain: number };

/** What trees over the same rows are grown with, one after another. */
type Workshop = Bins & {
  /** Where the sums of each column begin. */
  readonly cells: Int32Array;
  /** Sums that a leaf may have: as many as there may be leaves. */
  readonly sums: readonly Float64Array[];
  /** All rows, those of a leaf one after another. */
  readonly order: Int32Array;
  /** Slopes and curvatures in that order, as far as they are asked for. */
  readonly slopes: Float64Array;
  readonly curvatures: Float64Array;
  readonly spare: Int32Array;
};

/**
 * What grows trees over the same rows, split by split, each time the one that gains most by a step
 * of Newton in both its leaves (Chen and Guestrin 2016; leaf by leaf and by histograms, Ke et al.
 * 2017).
 *
 * @param most how many leaves each has at most
 */
export function treeGrower(bins: Bins, most: number): (following: Slopes) => Grown {
  const { rows, cuts } = bins;
  const cells = new Int32Array(cuts.length + 1);
  cuts.forEach(({ length }, column) => {
    cells[column + 1] = (cells[column] ?? 0) + 2 * (length + 1);
  });
  const workshop: Workshop = {
    ...bins,
    cells,
    sums: Array.from({ length: most }, () => new Float64Array(cells[cuts.length] ?? 0)),
    order: new Int32Array(rows),
    slopes: new Float64Array(rows),
    curvatures: new Float64Array(rows),
    spare: new Int32Array(rows),
  };
  return (following) => growTree(workshop, following, most);
}

function growTree(workshop: Workshop, following: Slopes, most: number): Grown {
  const { rows, order, cuts } = workshop;
  for (let row = 0; row < rows; row++) order[row] = row;
  const leaves: Leaf[] = [leafOf(workshop, following, { start: 0, end: rows })];
  const splits: Splits = { columns: [], cuts: [], children: [] };
  const parents: [split: number, side: 0 | 1][] = [];
  while (leaves.length < most) {
    const at = mostGaining(leaves);
    const leaf = leaves[at];
    if (leaf?.best === undefined) break;
    const { column, bin } = leaf.best;
    const middle = partition(workshop, leaf, leaf.best);
    const split = splits.columns.length;
    splits.columns.push(column);
    splits.cuts.push(cuts[column]?.[bin] ?? 0);
    splits.children.push([-1 - at, -1 - leaves.length]);
    const [parent, side] = parents[at] ?? [];
    const above = parent === undefined ? undefined : splits.children[parent];
    if (above !== undefined && side !== undefined) above[side] = split;
    const [left, right] = halvesOf(workshop, following, leaf, {
      middle,
      sums: workshop.sums[leaves.length],
      // (The last ones are not split.)
      isLast: leaves.length + 1 === most,
    });
    leaves[at] = left;
    leaves.push(right);
    parents[at] = [split, 0];
    parents[leaves.length - 1] = [split, 1];
  }
  return { ...splits, order: order.slice(), leaves };
}

function mostGaining(leaves: readonly Leaf[]): number {
  let at = 0;
  leaves.forEach(({ best }, i) => {
    if ((best?.gain ?? 0) > (leaves[at]?.best?.gain ?? 0)) at = i;
  });
  return at;
}

type Range = { readonly start: number; readonly end: number };

/** Some rows as a leaf: the first one, whose sums are added up. */
function leafOf(workshop: Workshop, following: Slopes, range: Range): Leaf {
  const totals = totalsOf(workshop, following, range);
  const [sums = new Float64Array(0)] = workshop.sums;
  addUp(workshop, range, sums);
  return { ...range, ...totals, sums, best: bestSplit(workshop, totals, sums) };
}

/** Both halves of a leaf: of the smaller one sums are added up, of the other they are the rest. */
function halvesOf(
  workshop: Workshop,
  following: Slopes,
  { start, end, sums: whole }: Leaf,
  {
    middle,
    sums: spare = new Float64Array(0),
    isLast,
  }: {
    readonly middle: number;
    readonly sums: Float64Array | undefined;
    readonly isLast: boolean;
  },
): [left: Leaf, right: Leaf] {
  const [left, right] = [
    { start, end: middle },
    { start: middle, end },
  ];
  const [ofLeft, ofRight] = [left, right].map((half) => totalsOf(workshop, following, half));
  const none = { slope: 0, curvature: 0 };
  const [a, b] = [ofLeft ?? none, ofRight ?? none];
  if (isLast) {
    const unsplit = { sums: whole, best: undefined };
    return [
      { ...left, ...a, ...unsplit },
      { ...right, ...b, ...unsplit },
    ];
  }
  const isLeft = middle - start <= end - middle;
  addUp(workshop, isLeft ? left : right, spare);
  for (let cell = 0; cell < whole.length; cell++)
    whole[cell] = (whole[cell] ?? 0) - (spare[cell] ?? 0);
  const [own, rest] = isLeft ? [spare, whole] : [whole, spare];
  return [
    { ...left, ...a, sums: own, best: bestSplit(workshop, a, own) },
    { ...right, ...b, sums: rest, best: bestSplit(workshop, b, rest) },
  ];
}

type Totals = Pick<Leaf, 'slope' | 'curvature'>;

/** What rows are together; what each follows is put in their order. */
function totalsOf(
  { order, slopes, curvatures }: Workshop,
  following: Slopes,
  { start, end }: Range,
): Totals {
  let slope = 0;
  let curvature = 0;
  for (let i = start; i < end; i++) {
    const row = order[i] ?? 0;
    const own = following.slopes[row] ?? 0;
    const ownCurvature = following.curvatures[row] ?? 0;
    slopes[i] = own;
    curvatures[i] = ownCurvature;
    slope += own;
    curvature += ownCurvature;
  }
  return { slope, curvature };
}

/** Adds up slopes and curvatures by the bins of each column. */
function addUp(
  { bins, cuts, rows, cells, order, slopes, curvatures }: Workshop,
  { start, end }: Range,
  sums: Float64Array,
): void {
  sums.fill(0);
  for (let column = 0; column < cuts.length; column++) {
    if (cuts[column]?.length === 0) continue;
    const first = column * rows;
    const from = cells[column] ?? 0;
    for (let i = start; i < end; i++) {
      const cell = from + 2 * (bins[first + (order[i] ?? 0)] ?? 0);
      sums[cell] = (sums[cell] ?? 0) + (slopes[i] ?? 0);
      sums[cell + 1] = (sums[cell + 1] ?? 0) + (curvatures[i] ?? 0);
    }
  }
}

/** What of a split gains most; of two that gain as much the first one. */
function bestSplit(
  { cuts, numbers, cells }: Workshop,
  { slope, curvature }: Totals,
  sums: Float64Array,
): Split | undefined {
  if (curvature < 2 * leastCurvature) return undefined;
  const whole = (slope * slope) / (curvature + shrinkage);
  let most = whole;
  let bestColumn = -1;
  let bestBin = 0;
  for (let column = 0; column < cuts.length; column++) {
    const isNumber = column < numbers;
    const bins = cuts[column]?.length ?? 0;
    // (The cells of a category begin with those of rarer values.)
    let cell = (cells[column] ?? 0) + (isNumber ? 0 : 2);
    let own = 0;
    let ownCurvature = 0;
    for (let bin = 0; bin < bins; bin++, cell += 2) {
      const moreCurvature = sums[cell + 1] ?? 0;
      if (moreCurvature <= 0) continue;
      const more = sums[cell] ?? 0;
      own = isNumber ? own + more : more;
      ownCurvature = isNumber ? ownCurvature + moreCurvature : moreCurvature;
      const rest = curvature - ownCurvature;
      if (ownCurvature < leastCurvature || rest < leastCurvature) continue;
      const other = slope - own;
      const [a, b] = [ownCurvature + shrinkage, rest + shrinkage];
      const gain = (own * own * b + other * other * a) / (a * b);
      if (gain <= most) continue;
      most = gain;
      bestColumn = column;
      bestBin = bin;
    }
  }
  return bestColumn < 0 ? undefined : { column: bestColumn, bin: bestBin, gain: most - whole };
}

/** Puts the rows of a leaf that go left before those that go right. @returns where these begin */
function partition(
  { bins, numbers, rows, order, spare }: Workshop,
  { start, end }: Range,
  { column, bin }: Split,
): number {
  const isNumber = column < numbers;
  const first = column * rows;
  let middle = start;
  let right = 0;
  for (let i = start; i < end; i++) {
    const row = order[i] ?? 0;
    const own = bins[first + row] ?? 0;
    if (isNumber ? own <= bin : own === bin + 1) order[middle++] = row;
    else spare[right++] = row;
  }
  order.set(spare.subarray(0, right), middle);
  return middle;
}
