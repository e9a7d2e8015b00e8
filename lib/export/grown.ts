import * as tf from '@tensorflow/tfjs';
import { sigmoid, softmax } from '../arithmetic.ts';
import type { EngineState } from '../engine/engine.ts';
import type { LabelKind } from '../engine/experts/labels.ts';
import { type Grove, groveOf, treeMemoryOf } from '../engine/experts/tree-memory.ts';
import { labelWay, waysToKept } from '../engine/experts/tree-scales.ts';
import type { TreesExpert } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import { apply, bounded, probabilities, setWeights } from './layers.ts';
import type { AnswerBounds, Stacked } from './stacked.ts';

/**
 * How much what is decided is times before its sigmoid, in standardised numbers: two that a tree
 * tells apart are far enough from its cut for a yes or no. (What lies on it is half of either.)
 */
const sharpness = 2 ** 20;
/** The same of whether all of a leaf's decisions are as it wants. */
const sureness = 60;
/** So many trees are layers together: more would hold mostly zeros, fewer would be many layers. */
const together = 10;

/** A split, by what a network sees now. */
type Split = {
  readonly column: number;
  readonly cut: number;
};

/** A leaf: which splits of its tree lead to it, to the right or not, and what it says. */
type Leaf = {
  readonly path: readonly { readonly split: number; readonly isRight: boolean }[];
  readonly said: Float64Array;
};

/** A tree with more than one leaf. */
type Tree = { readonly splits: readonly Split[]; readonly leaves: readonly Leaf[] };

/** What an expert of trees answers by at a state. */
type Grown = {
  readonly grove: Grove;
  readonly trees: readonly Tree[];
  /** What is said of all samples besides, [outputs]. */
  readonly base: Float64Array;
};

/** The trees of a state, in numbers and labels as they are standardised now. */
export function grownAt(
  spec: Spec,
  expert: TreesExpert,
  { kind, state }: { readonly kind: LabelKind; readonly state: EngineState },
): Grown {
  const grove = groveOf(spec, expert, kind);
  const { numbers } = grove;
  const { trees: count, lasting, leaves: most, outputs, task } = grove.shape;
  const memory = treeMemoryOf(state);
  const ways = waysToKept(memory, numbers);
  const scaled = (value: number, output: number, isBase: boolean) => {
    if (task !== 'regression') return value;
    const { ratio, shift } = labelWay(memory, output);
    return ratio * value + (isBase ? shift : 0);
  };
  const base = Float64Array.from(memory.base, (value, output) => scaled(value, output, true));
  const trees: Tree[] = [];
  for (let tree = 0; tree < count; tree++) {
    const first = tree * (most - 1);
    const times = tree < lasting ? 1 : (memory.share[0] ?? 1);
    const said = (leaf: number) =>
      Float64Array.from({ length: outputs }, (_, output) =>
        scaled(
          times * (memory.leaves[(tree * most + leaf) * outputs + output] ?? 0),
          output,
          false,
        ),
      );
    const columns = memory.columns.subarray(first, first + most - 1).filter((each) => each >= 0);
    if (columns.length === 0) {
      said(0).forEach((value, output) => {
        base[output] = (base[output] ?? 0) + value;
      });
      continue;
    }
    const splits = Array.from(columns, (column, split): Split => {
      const cut = memory.cuts[first + split] ?? 0;
      if (column >= numbers) return { column, cut };
      return { column, cut: (cut - (ways.shifts[column] ?? 0)) / (ways.ratios[column] ?? 1) };
    });
    const leaves = pathsTo(memory.children.subarray(2 * first), 0);
    trees.push({ splits, leaves: leaves.map(({ leaf, path }) => ({ path, said: said(leaf) })) });
  }
  return { grove, trees, base };
}

/** The leaves below a split, each with what leads to it from there. */
function pathsTo(
  children: Float32Array,
  split: number,
): readonly { readonly leaf: number; readonly path: Leaf['path'] }[] {
  return [false, true].flatMap((isRight) => {
    const to = children[2 * split + Number(isRight)] ?? -1;
    const own = [{ split, isRight }];
    if (to < 0) return [{ leaf: -1 - to, path: own }];
    return pathsTo(children, to).map(({ leaf, path }) => ({ leaf, path: [...own, ...path] }));
  });
}

/** What trees look at: the numbers, and a category by its column of indices and how many it has. */
type Looked = {
  readonly numbers: () => tf.SymbolicTensor;
  readonly category: (column: number) => {
    readonly symbol: tf.SymbolicTensor;
    readonly rows: number;
  };
};

/** What trees answer, as layers or as the same of every sample. */
export function saidByTrees(
  name: string,
  grown: Grown,
  looked: Looked,
  ranges: AnswerBounds['ranges'],
): Stacked {
  const { task } = grown.grove.shape;
  if (grown.trees.length === 0) {
    const { base } = grown;
    if (task === 'multiclass') softmax(base);
    return { constant: Float32Array.from(base, task === 'binary' ? sigmoid : (value) => value) };
  }
  const logits = grownOutput(name, grown, looked);
  const answer =
    task === 'regression'
      ? bounded(name, logits, ranges)
      : probabilities(`${name}-probabilities`, task, logits);
  return { logits, answer };
}

/**
 * The sums of trees as layers: whether each split goes right, a sigmoid so steep that it is a yes
 * or no; whether all splits on the way to a leaf say so, another; and the sum of what those say.
 *
 * @returns values, or logits
 */
function grownOutput(
  name: string,
  { grove, trees, base }: Grown,
  looked: Looked,
): tf.SymbolicTensor {
  const reached: tf.SymbolicTensor[] = [];
  for (let first = 0; first < trees.length; first += together) {
    const own = trees.slice(first, first + together);
    reached.push(reachedLeaves(`${name}-trees-${first / together + 1}`, grove, own, looked));
  }
  const joined =
    reached.length === 1
      ? reached[0]
      : apply(tf.layers.concatenate({ name: `${name}-leaves`, axis: 1 }), reached);
  if (joined === undefined) throw new Error('no tree has a split');
  const sum = tf.layers.dense({ name: `${name}-sum`, units: base.length, trainable: false });
  const output = apply(sum, joined);
  const said = trees.flatMap(({ leaves }) => leaves.flatMap((leaf) => [...leaf.said]));
  setWeights(sum, [said, base]);
  return output;
}

/** A 1 for the leaf of each tree that a sample reaches, and 0 for the others. */
function reachedLeaves(
  name: string,
  grove: Grove,
  trees: readonly Tree[],
  looked: Looked,
): tf.SymbolicTensor {
  const splits = trees.flatMap(({ splits: own }, tree) =>
    own.map((split, i) => ({ ...split, key: `${tree}/${i}` })),
  );
  const ofNumbers = splits.filter(({ column }) => column < grove.numbers);
  const decided: tf.SymbolicTensor[] = [];
  const order: string[] = ofNumbers.map(({ key }) => key);
  if (ofNumbers.length > 0) decided.push(greater(name, ofNumbers, grove, looked));
  grove.categories.forEach((column, i) => {
    const own = splits.filter((split) => split.column === grove.numbers + i);
    if (own.length === 0) return;
    decided.push(others(`${name}-category-${i + 1}`, own, looked.category(column)));
    order.push(...own.map(({ key }) => key));
  });
  const [first] = decided;
  const joined =
    decided.length === 1 && first !== undefined
      ? first
      : apply(tf.layers.concatenate({ name: `${name}-decided`, axis: 1 }), decided);
  const leaves = trees.flatMap(({ leaves: own }, tree) =>
    own.map(({ path }) => path.map(({ split, isRight }) => ({ key: `${tree}/${split}`, isRight }))),
  );
  const layer = tf.layers.dense({
    name: `${name}-reached`,
    units: leaves.length,
    activation: 'sigmoid',
    trainable: false,
  });
  const output = apply(layer, joined);
  const places = new Map(order.map((key, i) => [key, i]));
  const kernel = new Float32Array(order.length * leaves.length);
  const bias = leaves.map((path, leaf) => {
    for (const { key, isRight } of path)
      kernel[(places.get(key) ?? 0) * leaves.length + leaf] = isRight ? sureness : -sureness;
    return sureness * (0.5 - path.filter(({ isRight }) => isRight).length);
  });
  setWeights(layer, [kernel, bias]);
  return output;
}

/** Whether numbers are greater than the cuts of splits. */
function greater(
  name: string,
  splits: readonly Split[],
  { places, numberWidth }: Grove,
  looked: Looked,
): tf.SymbolicTensor {
  const units = splits.length;
  const layer = tf.layers.dense({
    name: `${name}-greater`,
    units,
    activation: 'sigmoid',
    trainable: false,
  });
  const output = apply(layer, looked.numbers());
  const kernel = new Float32Array(numberWidth * units);
  splits.forEach(({ column }, unit) => {
    kernel[(places[column] ?? 0) * units + unit] = sharpness;
  });
  setWeights(layer, [kernel, splits.map(({ cut }) => -sharpness * cut)]);
  return output;
}

/** Whether a category is another than the splits ask for: a row of yes and no for each value. */
function others(
  name: string,
  splits: readonly Split[],
  { symbol, rows }: ReturnType<Looked['category']>,
): tf.SymbolicTensor {
  const { length: units } = splits;
  const own = { name, inputDim: rows, outputDim: units, trainable: false };
  const embedding = tf.layers.embedding(own);
  const looked = apply(embedding, symbol);
  const table = new Float32Array(rows * units).fill(1);
  splits.forEach(({ cut }, unit) => {
    if (cut < rows) table[cut * units + unit] = 0;
  });
  setWeights(embedding, [table]);
  return apply(tf.layers.flatten({ name: `${name}-row` }), looked);
}
