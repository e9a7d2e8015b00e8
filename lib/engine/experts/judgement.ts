import { meansOfRows } from '../../arithmetic.ts';
import type { Floats } from '../../features/samples.ts';
import { lossesOf } from '../../metrics/scores.ts';
import type { Spec } from '../../spec/spec.ts';
import { keepsLongRun, squaredErrors } from './long-run.ts';
import type { StackSums } from './stack-sums.ts';

/** What experts lost on samples, all of which were predicted before any was learnt. */
export type Judgement = {
  /** Σ of the losses of each expert; of a regression its errors; see {@link Said.unit}. */
  readonly losses: Float64Array;
  /** Of a regression, Σ of each expert's squared errors. */
  readonly squares: Float64Array;
  /** How many samples. */
  readonly count: number;
  /** Σ of their weights. */
  readonly weight: number;
  /** What the expert learns from it that stacks the others, where there is one. */
  readonly stack?: StackSums;
};

/** What experts said of some samples, and what was right. */
export type Said = {
  /** What each predicted, [count, outputs]. */
  readonly each: readonly Float32Array[];
  /** As the networks learn them, [count] or [count, outputs]. */
  readonly labels: Floats;
  /** How many samples. */
  readonly count: number;
  /** How much each sample says; all alike unless given. */
  readonly weights?: Float32Array | undefined;
  /** What errors are times; see `unitOf`. */
  readonly unit: number;
};

/** No single prediction costs an expert more than this: −ln 10⁻⁴. */
const mostLoss = 9.21;

/** What is no number costs an expert as much as a prediction so many deviations off. */
const mostError = 1_000;

/** A size, or what stands for it if it is no number. */
function numberOr(size: number, most: number): number {
  return Number.isFinite(size) ? size : most;
}

/** A judgement with what experts said of some more samples. */
export function judgedBy(
  spec: Spec,
  { losses: before, squares: squaresBefore, count, weight }: Judgement,
  { each, labels, count: said, weights, unit }: Said,
): Judgement {
  const weightOf = (row: number) => weights?.[row] ?? 1;
  const losses = before.map((sum, expert) => {
    const predictions = each[expert] ?? new Float32Array(labels.length);
    const own =
      spec.task === 'regression'
        ? errorsOf(spec, predictions, labels, said).map(
            (error) => numberOr(error, mostError) * unit,
          )
        : lossesOf(spec, predictions, labels).map((loss) =>
            numberOr(Math.min(loss, mostLoss), mostLoss),
          );
    return own.reduce((total, loss, row) => total + weightOf(row) * loss, sum);
  });
  const squaresOf = (sum: number, expert: number) => {
    const own = squaredErrors(each[expert] ?? new Float32Array(), labels, said);
    return own.reduce(
      (total, square, row) =>
        total + weightOf(row) * numberOr(square, mostError * mostError) * unit * unit,
      sum,
    );
  };
  const squares = keepsLongRun(spec) ? squaresBefore.map(squaresOf) : squaresBefore;
  const add = (sum: number, own: number) => sum + own;
  // (Before revision 20 a sum went on from that of others as a whole.)
  const isWhole = (spec.revision ?? 0) >= 20;
  const sum = isWhole ? weights?.reduce(add, weight) : weight + (weights?.reduce(add, 0) ?? said);
  return { losses, squares, count: count + said, weight: sum ?? weight + said };
}

/**
 * How far predictions are off, by their size; where a quantile is predicted, by its loss: of
 * absolute errors the least are at the median. (Models of before 0.20 go on with those.)
 */
function errorsOf(
  spec: Spec,
  predictions: Float32Array,
  labels: Floats,
  count: number,
): Float64Array {
  const { loss, revision = 0 } = spec;
  if (typeof loss === 'object' && revision >= 7) return lossesOf(spec, predictions, labels);
  const errors = Float64Array.from(labels, (label, i) => Math.abs((predictions[i] ?? 0) - label));
  return meansOfRows(errors, labels.length / count);
}

/** A judgement of no samples. */
export function noJudgement(experts: number): Judgement {
  const losses = new Float64Array(experts);
  return { losses, squares: losses, count: 0, weight: 0 };
}

/** A judgement of the samples of several. */
export function judgedTogether(all: readonly Judgement[]): Judgement {
  const sumOf = (of: (each: Judgement) => number) => all.reduce((sum, each) => sum + of(each), 0);
  const sums = (of: (each: Judgement) => Float64Array) =>
    Float64Array.from(all[0]?.losses ?? [], (_, i) => sumOf((each) => of(each)[i] ?? 0));
  return {
    losses: sums(({ losses }) => losses),
    squares: sums(({ squares }) => squares),
    count: sumOf(({ count }) => count),
    weight: sumOf(({ weight }) => weight),
  };
}
