import { layoutOf } from '../../features/columns.ts';
import { outputCount } from '../../features/task.ts';
import type { TreesExpert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import { treeCategories, treeNumbers } from '../../spec/tree-columns.ts';
import type { EngineState, Tensor } from '../engine.ts';
import type { LabelKind } from './labels.ts';
import { noScales } from './scaled-weights.ts';
import { noTrees, type Shape, type Trees } from './tree-scores.ts';

/** What trees are made of, and which samples they are grown over. */
export type Grove = {
  readonly shape: Shape;
  /** How many of the latest samples are kept. */
  readonly size: number;
  /** How many numbers they look at. */
  readonly numbers: number;
  /** Where those are, among the numbers of samples, and how many samples have. */
  readonly places: Int32Array;
  readonly numberWidth: number;
  /** The columns of indices that they look at, among those of samples. */
  readonly categories: readonly number[];
  readonly kind: LabelKind;
};

/**
 * Trees, and the latest samples, over which they are grown. Numbers and labels are kept as they
 * were standardised when the trees were grown, and so stand the cuts and the leaves.
 */
export type TreeMemory = Trees & {
  /** How many samples the trees were grown over that last, [1]. */
  readonly grown: Float32Array;
  /** How numbers are standardised in what is kept, and in what comes; see `noScales`. */
  readonly keptNumberScale: Float32Array;
  readonly numberScale: Float32Array;
  /** The same of labels. */
  readonly keptLabelScale: Float32Array;
  readonly labelScale: Float32Array;
  /** [size, numbers] */
  readonly numbers: Float32Array;
  /** [size, categories] */
  readonly categories: Float32Array;
  /** [size, width] */
  readonly labels: Float32Array;
  /** 0 where there is none yet, [size]. */
  readonly weights: Float32Array;
  /**
   * Where the next sample is kept, and how many were since the trees were grown that last, and
   * since the others were; [3].
   */
  readonly place: Float32Array;
  /** See `boundLabels`. */
  readonly usualLabels: Float32Array;
  /** What was lost with each of the shares that trees may have which do not last; [4]. */
  readonly losses: Float32Array;
};

/** What trees that do not last may be times. */
export const sharesOfOthers = [1, 0.5, 0.25, 0];

/** What answers is among the weights; the samples are not, and so in no export. */
const tensorNames = {
  columns: 'weights/trees/columns',
  cuts: 'weights/trees/cuts',
  children: 'weights/trees/children',
  leaves: 'weights/trees/leaves',
  base: 'weights/trees/base',
  share: 'weights/trees/share',
  grown: 'weights/trees/grown',
  keptNumberScale: 'weights/trees/kept_number_scale',
  numberScale: 'weights/trees/number_scale',
  keptLabelScale: 'weights/trees/kept_label_scale',
  labelScale: 'weights/trees/label_scale',
  numbers: 'optimizer/trees/numbers',
  categories: 'optimizer/trees/categories',
  labels: 'optimizer/trees/labels',
  weights: 'optimizer/trees/weights',
  place: 'optimizer/trees/place',
  usualLabels: 'optimizer/trees/usual_labels',
  losses: 'optimizer/trees/losses',
} as const satisfies Record<keyof TreeMemory, string>;

/** What an expert of trees is, in a spec. */
export function groveOf(
  spec: Spec,
  { window: size, trees, leaves, rate }: TreesExpert,
  kind: LabelKind,
): Grove {
  const { task, loss, seed, revision = 0 } = spec;
  const outputs = outputCount(spec.label);
  const places = treeNumbers(spec);
  return {
    shape: {
      trees,
      lasting: trees - Math.floor(trees / 3),
      leaves,
      rate,
      outputs,
      task,
      quantile: typeof loss === 'object' ? loss.quantile : undefined,
      seed,
      isFine: revision >= 22,
    },
    size,
    numbers: places.length,
    places,
    numberWidth: layoutOf(spec).numberWidth,
    categories: treeCategories(spec),
    kind,
  };
}

/** The tensors of one that knows nothing. */
export function emptyTreeMemory(grove: Grove): Record<string, Tensor> {
  const { shape, size, numbers, categories, kind } = grove;
  const { trees, leaves, outputs } = shape;
  const tensor = (data: Float32Array, ...sizes: number[]): Tensor => ({ shape: sizes, data });
  const zeros = (...sizes: number[]) =>
    tensor(new Float32Array(sizes.reduce((product, each) => product * each, 1)), ...sizes);
  const none = noTrees(shape);
  const names = tensorNames;
  return {
    [names.columns]: tensor(none.columns, trees, leaves - 1),
    [names.cuts]: tensor(none.cuts, trees, leaves - 1),
    [names.children]: tensor(none.children, trees, leaves - 1, 2),
    [names.leaves]: tensor(none.leaves, trees, leaves, outputs),
    [names.base]: tensor(none.base, outputs),
    [names.share]: tensor(none.share, 1),
    [names.grown]: zeros(1),
    [names.keptNumberScale]: noScales(numbers),
    [names.numberScale]: noScales(numbers),
    [names.keptLabelScale]: noScales(kind.width),
    [names.labelScale]: noScales(kind.width),
    [names.numbers]: zeros(size, numbers),
    [names.categories]: zeros(size, categories.length),
    [names.labels]: zeros(size, kind.width),
    [names.weights]: zeros(size),
    [names.place]: zeros(3),
    [names.usualLabels]: zeros(kind.width, 3),
    [names.losses]: zeros(sharesOfOthers.length),
  };
}

/** What a state has of it. */
export function treeMemoryOf({ tensors }: Pick<EngineState, 'tensors'>): TreeMemory {
  const own = Object.entries(tensorNames).map(([name, tensor]) => [
    name,
    tensors[tensor]?.data ?? new Float32Array(0),
  ]);
  return Object.fromEntries(own) as TreeMemory;
}

/** The same state with some of it changed. */
export function withTreeMemory(state: EngineState, changed: Partial<TreeMemory>): EngineState {
  const tensors: Record<string, Tensor> = { ...state.tensors };
  for (const [name, data] of Object.entries(changed)) {
    const tensor = tensorNames[name as keyof TreeMemory];
    tensors[tensor] = { shape: state.tensors[tensor]?.shape ?? [data.length], data };
  }
  return { ...state, tensors };
}
