/** What trees are made of. */
export type Shape = {
  readonly trees: number;
  /** How many of them, the first ones, follow all samples that are kept; others the newest. */
  readonly lasting: number;
  /** Of each tree, at most. */
  readonly leaves: number;
  /** What each tree is times. */
  readonly rate: number;
  /** Numbers of an answer: values, the log-odds of true, or a logit of each class. */
  readonly outputs: number;
  readonly task: 'regression' | 'binary' | 'multiclass';
  /** Of a regression: what is predicted instead of the mean. */
  readonly quantile?: number | undefined;
  readonly seed: number;
  /** Whether numbers are cut finely, and labels may be in any unit: of specs since revision 22. */
  readonly isFine: boolean;
};

/** Trees as a state has them. A split that a tree lacks has no column: −1. */
export type Trees = {
  /** Which column each split looks at, those of numbers first; [trees, leaves − 1]. */
  readonly columns: Float32Array;
  /** A number goes right if it is greater, a category if it is another; [trees, leaves − 1]. */
  readonly cuts: Float32Array;
  /** Where it goes on to, left and right: a split, or −1 less a leaf; [trees, leaves − 1, 2]. */
  readonly children: Float32Array;
  /** What each leaf adds, [trees, leaves, outputs]. */
  readonly leaves: Float32Array;
  /** What they are added to, [outputs]. */
  readonly base: Float32Array;
  /** What the trees are times that do not last, [1]. */
  readonly share: Float32Array;
};

/** Trees that say nothing. */
export function noTrees({ trees, leaves, outputs }: Shape): Trees {
  const splits = trees * (leaves - 1);
  return {
    columns: new Float32Array(splits).fill(-1),
    cuts: new Float32Array(splits),
    children: new Float32Array(2 * splits).fill(-1),
    leaves: new Float32Array(trees * leaves * outputs),
    base: new Float32Array(outputs),
    share: Float32Array.of(1),
  };
}

/** Trees whose whole numbers are such, since they are asked for again and again. */
export type ReadyTrees = Omit<Trees, 'columns' | 'children'> & {
  readonly columns: Int32Array;
  readonly children: Int32Array;
};

/** Those of a state. */
export function readyTrees({ columns, children, ...others }: Trees): ReadyTrees {
  return { ...others, columns: Int32Array.from(columns), children: Int32Array.from(children) };
}

/**
 * Writes what trees say of a row.
 *
 * @param row its numbers and its categories, [columns]
 * @param numbers how many of those are numbers
 * @param scores [outputs]
 */
export function toScores(
  { base, leaves, columns, cuts, children, share: [share = 1] }: ReadyTrees,
  { trees, lasting, leaves: most, outputs }: Shape,
  { row, numbers }: { readonly row: Float32Array; readonly numbers: number },
  scores: Float64Array,
): void {
  scores.set(base);
  for (let tree = 0; tree < trees; tree++) {
    const first = tree * (most - 1);
    let at = (columns[first] ?? -1) < 0 ? -1 : 0;
    while (at >= 0) {
      const column = columns[first + at] ?? 0;
      const [value = 0, cut = 0] = [row[column], cuts[first + at]];
      const isRight = column < numbers ? value > cut : value !== cut;
      at = children[2 * (first + at) + (isRight ? 1 : 0)] ?? -1;
    }
    const leaf = (tree * most - 1 - at) * outputs;
    const times = tree < lasting ? 1 : share;
    for (let output = 0; output < outputs; output++)
      scores[output] = (scores[output] ?? 0) + times * (leaves[leaf + output] ?? 0);
  }
}
