import { exponential, wholePower } from '../../arithmetic.ts';
import { layoutOf } from '../../features/columns.ts';
import { outputCount } from '../../features/task.ts';
import type { NeighboursExpert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensor } from '../engine.ts';
import { type LabelKind, sharesOf } from './labels.ts';
import type { Range } from './likeness.ts';
import { noScales } from './scaled-weights.ts';

/** A bandwidth is the usual squared distance times one of 2⁻², 2⁻³, …, 2⁻¹⁰. */
export const bandwidths = Array.from({ length: 9 }, (_, i) => wholePower(0.5, i + 2));
/** The shares of the window that may be looked at, from its newest sample on. */
export const reaches = [1, 1 / 8];
/** The share of an answer that goes to classes as they are in the window. */
export const alikeShare = 0.03;

/** What is kept of the latest samples. */
export type Window = {
  readonly size: number;
  readonly numbers: number;
  readonly kind: LabelKind;
  /** 0 in a regression. */
  readonly classes: number;
  readonly outputs: number;
};

/** The latest samples, and what is known of how alike those are whose labels are. */
export type Memory = {
  /** As networks see them, [numbers, size]. */
  readonly numbers: Float32Array;
  /** As networks learn them, [size, width]. */
  readonly labels: Float32Array;
  /** 0 where there is none yet, [size]. */
  readonly weights: Float32Array;
  /**
   * Of each number of a label its latest mean, how far labels are from that on average, and how
   * many there were, [width, 3].
   */
  readonly usualLabels: Float32Array;
  /** Where the next sample is kept, [1]. */
  readonly place: Float32Array;
  /** The usual squared distance of two samples, and how many told it, [2]. */
  readonly spread: Float32Array;
  /** What was lost by each bandwidth within each reach, [reaches, bandwidths]. */
  readonly losses: Float32Array;
  /** The logarithm of how much each column counts in a distance, [numbers]. */
  readonly columns: Float32Array;
  /** What is left of the squared slopes along those, [numbers]. */
  readonly slopes: Float32Array;
  /** How labels are standardised, and how numbers are. */
  readonly scale: Float32Array;
  readonly numberScale: Float32Array;
};

const tensorNames = {
  numbers: 'weights/neighbours/numbers',
  labels: 'weights/neighbours/labels',
  weights: 'weights/neighbours/weights',
  usualLabels: 'weights/neighbours/usual_labels',
  place: 'weights/neighbours/place',
  spread: 'weights/neighbours/spread',
  losses: 'weights/neighbours/losses',
  columns: 'weights/neighbours/columns',
  slopes: 'weights/neighbours/slopes',
  scale: 'weights/neighbours/label_scale',
  numberScale: 'weights/neighbours/number_scale',
} as const satisfies Record<keyof Memory, string>;

/** What an expert of neighbours keeps. */
export function windowOf(spec: Spec, { window: size }: NeighboursExpert, kind: LabelKind): Window {
  const outputs = outputCount(spec.label);
  const classes = spec.task === 'regression' ? 0 : Math.max(2, outputs);
  return { size, numbers: layoutOf(spec).numberWidth, kind, classes, outputs };
}

/** The tensors of a memory of nothing. */
export function emptyMemory({ size, numbers, kind, outputs }: Window): Record<string, Tensor> {
  const zeros = (...shape: number[]): Tensor => ({
    shape,
    data: new Float32Array(shape.reduce((product, length) => product * length, 1)),
  });
  const names = tensorNames;
  return {
    [names.numbers]: zeros(numbers, size),
    [names.labels]: zeros(size, kind.width),
    [names.weights]: zeros(size),
    [names.usualLabels]: zeros(kind.width, 3),
    [names.place]: zeros(1),
    [names.spread]: zeros(2),
    [names.losses]: zeros(reaches.length, bandwidths.length),
    [names.columns]: zeros(numbers),
    [names.slopes]: zeros(numbers),
    [names.scale]: noScales(outputs),
    [names.numberScale]: noScales(numbers),
  };
}

/** What a state remembers. */
export function memoryOf({ tensors }: EngineState): Memory {
  const own = (name: keyof Memory) => tensors[tensorNames[name]]?.data ?? new Float32Array(0);
  return {
    numbers: own('numbers'),
    labels: own('labels'),
    weights: own('weights'),
    usualLabels: own('usualLabels'),
    place: own('place'),
    spread: own('spread'),
    losses: own('losses'),
    columns: own('columns'),
    slopes: own('slopes'),
    scale: own('scale'),
    numberScale: own('numberScale'),
  };
}

/** How much the squared difference of each column counts; 1 on average. */
export function columnShares({ columns }: Memory): Float64Array {
  const shares = Float64Array.from(columns, exponential);
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => (share * shares.length) / sum);
}

/** Samples that are kept, the oldest first. */
export type Kept = {
  /** Where they are. */
  readonly ranges: readonly Range[];
  readonly count: number;
  /** How much each counts, [count]. */
  readonly weights: Float32Array;
  /** [count, width] */
  readonly labels: Float32Array;
};

/** All that are kept, or the newest of them. */
export function keptIn({ size, kind }: Window, memory: Memory, most = size): Kept {
  const { weights, labels, place } = memory;
  const [next = 0] = place;
  const isFull = (weights[size - 1] ?? 0) > 0;
  const count = Math.min(isFull ? size : next, most);
  const start = next - count;
  const ranges = [
    { start: start + size, end: size },
    { start: Math.max(start, 0), end: next },
  ].filter(({ start: from, end }) => from < end);
  const own = {
    weights: new Float32Array(count),
    labels: new Float32Array(count * kind.width),
  };
  let at = 0;
  for (const { start: from, end } of ranges) {
    own.weights.set(weights.subarray(from, end), at);
    own.labels.set(labels.subarray(from * kind.width, end * kind.width), at * kind.width);
    at += end - from;
  }
  return { ranges, count, ...own };
}

/** How samples are compared. */
export type Comparison = {
  /** With how many of the newest ones that are kept, at most. */
  readonly most: number;
  /** What squared distances are times in the exponent. */
  readonly factor: number;
};

/** How many samples are within a reach. */
export function within({ size }: Window, reach: number): number {
  return Math.ceil(reach * size);
}

/** By how much a squared distance counts. */
export function factorOf({ spread: [usual = 0] }: Memory, bandwidth: number): number {
  return usual > 0 ? 1 / (usual * bandwidth) : 0;
}

/** What lost least so far. */
export function comparisonOf(window: Window, memory: Memory): Comparison {
  const { losses } = memory;
  let best = 0;
  losses.forEach((loss, i) => {
    if (loss < (losses[best] ?? 0)) best = i;
  });
  const reach = reaches[Math.floor(best / bandwidths.length)] ?? 1;
  const bandwidth = bandwidths[best % bandwidths.length] ?? 1;
  return { most: within(window, reach), factor: factorOf(memory, bandwidth) };
}

/** The shares of classes among all that are kept, as if each were there half a time more. */
export function usualShares({ classes, kind }: Window, { labels, weights }: Memory): Float32Array {
  if (classes === 0) return new Float32Array(0);
  const counts = new Float32Array(classes);
  labels.forEach((label, i) => {
    counts[label] = (counts[label] ?? 0) + (weights[i] ?? 0);
  });
  return sharesOf(counts, kind);
}

/**
 * Writes the mean of labels by how alike their samples are, or the shares of classes.
 *
 * @param likeness [kept]
 * @param usual the shares that classes have anyway
 */
export function toAnswer(
  { kind, classes }: Window,
  { count, weights, labels }: Kept,
  { likeness, usual }: { readonly likeness: Float64Array; readonly usual: Float32Array },
  answer: Float64Array,
): void {
  answer.fill(0);
  let total = 0;
  for (let i = 0; i < count; i++) {
    const near = likeness[i] ?? 0;
    if (near === 0) continue;
    const weight = near * (weights[i] ?? 0);
    total += weight;
    if (classes === 0)
      for (let output = 0; output < kind.width; output++)
        answer[output] = (answer[output] ?? 0) + weight * (labels[i * kind.width + output] ?? 0);
    else {
      // (Of two classes, the share of the second alone.)
      const at = (labels[i] ?? 0) - (kind.isBinary ? 1 : 0);
      if (at >= 0) answer[at] = (answer[at] ?? 0) + weight;
    }
  }
  for (let output = 0; output < answer.length; output++) {
    const own = (answer[output] ?? 0) / total;
    answer[output] =
      classes === 0 ? own : (1 - alikeShare) * own + alikeShare * (usual[output] ?? 0);
  }
}
