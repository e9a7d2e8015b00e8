import { type ColumnScales, haveVaried, type LabelScale } from '../../features/scaling.ts';
import type { Tensor } from '../engine.ts';
import { restate } from './covariance.ts';
import { denseWidth, type LinearInputs } from './linear-inputs.ts';
import { scaleWidth, writeScale } from './scales.ts';

/** The slot that says how labels were scaled when weights were learnt. */
export const scaleName = 'optimizer/label_scale';
/** The slot that says how numbers were. */
export const numberScaleName = 'optimizer/number_scale';

/** Weights of a linear model, what is known of them, and how what they were learnt of is scaled. */
export type ScaledWeights = {
  readonly inputs: LinearInputs;
  readonly outputs: number;
  /** [rows, outputs], those of numbers first, those of what is derived from them last. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  /** Of the bias, the numbers and what is derived from them, in this order. */
  readonly covariance: Float32Array;
  readonly tables: readonly Float32Array[];
  /** Of each output the mean of labels and what float32 leaves of it, and their deviation alike. */
  readonly scale: Float32Array | undefined;
  /** The same of each number, with its scale in the deviation's place. */
  readonly numberScale: Float32Array | undefined;
  /** How many times its deviation a number's next one may be for what is known of it to stay. */
  readonly mostRatio: number;
};

/** Whether a tensor says how labels or numbers were scaled when weights were learnt. */
export function isScale(name: string): boolean {
  return [scaleName, numberScaleName].some((each) => name.endsWith(each.slice('optimizer'.length)));
}

/** No scale is known yet of so many labels or numbers. */
export function noScales(count: number): Tensor {
  return { shape: [count, scaleWidth], data: new Float32Array(scaleWidth * count) };
}

/**
 * Says the same in labels that are standardised by another mean and deviation.
 *
 * @returns whether labels have varied, so that there is something to learn
 */
export function rescale(weighing: ScaledWeights, scale: LabelScale | undefined): boolean {
  const { scale: known, outputs, kernel, bias, tables } = weighing;
  if (known === undefined) return true;
  for (const { output, ratio, shift } of restatements(known, scale)) {
    for (const weights of [kernel, ...tables])
      for (let i = output; i < weights.length; i += outputs) weights[i] = ratio * (weights[i] ?? 0);
    bias[output] = ratio * (bias[output] ?? 0) + shift;
  }
  return haveVaried(scale);
}

/** What says the same of the labels of an output: `ratio` times as much, plus `shift`. */
type Restatement = { readonly output: number; readonly ratio: number; readonly shift: number };

/**
 * What says the same in labels that are standardised by another mean and deviation, of the outputs
 * whose have changed.
 *
 * @param known how they were standardised, [outputs, 4]; changed in place
 */
export function restatements(
  known: Float32Array,
  scale: LabelScale | undefined,
): readonly Restatement[] {
  if (scale === undefined) return [];
  return scale.outputs.flatMap(({ mean, deviation }, output) => {
    const own = known.subarray(scaleWidth * output, scaleWidth * (output + 1));
    const [high = 0, low = 0, large = 0, small = 0] = own;
    if (!(deviation > 0)) return [];
    writeScale(known, output, { mean, scale: deviation });
    const before = large + small;
    // (What came without its scale, such as weights of another model, is taken as it is.)
    if (before === 0) return [];
    const ratio = before / deviation;
    const shift = (high - mean + low) / deviation;
    return ratio === 1 && shift === 0 ? [] : [{ output, ratio, shift }];
  });
}

/** A column of numbers that is standardised by another mean and scale than before. */
export type ScaleChange = {
  readonly column: number;
  readonly before: number;
  readonly scale: number;
  /** How much greater the mean is. */
  readonly moved: number;
};

/**
 * The columns that are scaled otherwise than before.
 *
 * @param known how they were, [columns, 4]; changed in place
 * @param mostRatio see {@link ScaledWeights}
 */
export function scaleChanges(
  known: Float32Array,
  now: ColumnScales,
  mostRatio: number,
): readonly ScaleChange[] {
  const changes: ScaleChange[] = [];
  for (let column = 0; column < known.length / scaleWidth; column++) {
    const own = known.subarray(scaleWidth * column, scaleWidth * (column + 1));
    const [high = 0, low = 0, large = 0, small = 0] = own;
    const [mean, scale] = [now.mean[column] ?? 0, now.scale[column] ?? 0];
    if (!(scale > 0)) continue;
    writeScale(known, column, { mean, scale });
    const before = large + small;
    const isAsItWas = own[0] === high && own[1] === low && own[2] === large && own[3] === small;
    // (While a number has not varied, nothing is known of it. And where all that came is next to
    // nothing beside the newest value, float32 would keep the rounding and not what is known.)
    if (isAsItWas || before === 0 || before / scale > mostRatio) continue;
    changes.push({ column, before, scale, moved: mean - high - low });
  }
  return changes;
}

/** Says the same of numbers that are standardised by other means and scales. */
export function restateNumbers(weighing: ScaledWeights, now: ColumnScales | undefined): void {
  const { numberScale: known, mostRatio, inputs, outputs, kernel, bias, covariance } = weighing;
  if (known === undefined || now === undefined) return;
  const width = denseWidth(inputs);
  const ratios = new Float64Array(width).fill(1);
  const shifts = new Float64Array(width);
  const changes = scaleChanges(known, now, mostRatio).map((each) => [each.column, each] as const);
  const changed = new Map(changes);
  // (Sparse numbers are those of texts, which are not standardised.)
  inputs.dense.forEach((column, i) => {
    const change = changed.get(column);
    if (change === undefined) return;
    ratios[i + 1] = change.before / change.scale;
    shifts[i + 1] = change.moved * change.before;
  });
  const isSame = ratios.every((ratio) => ratio === 1) && shifts.every((shift) => shift === 0);
  if (isSame) return;
  const weights = kernel.slice(0, inputs.numbers * outputs);
  const sums = bias.slice();
  inputs.dense.forEach((column, i) => {
    for (let output = 0; output < outputs; output++) {
      const at = column * outputs + output;
      const weight = weights[at] ?? 0;
      sums[output] = (sums[output] ?? 0) + weight * (shifts[i + 1] ?? 0);
      weights[at] = weight * (ratios[i + 1] ?? 1);
    }
  });
  // (What float32 cannot hold stays as it was, as if the numbers had changed.)
  const areFinite = weights.every(Number.isFinite) && sums.every(Number.isFinite);
  if (!areFinite || !restate(covariance, ratios, shifts)) return;
  kernel.set(weights);
  bias.set(sums);
}
