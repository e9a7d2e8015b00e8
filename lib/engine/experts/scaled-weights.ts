import type { ColumnScales, LabelScale } from '../../features/scaling.ts';
import type { Tensor } from '../engine.ts';
import { restate } from './covariance.ts';
import { denseWidth, type LinearInputs } from './linear-inputs.ts';

/** The slot that says how labels were scaled when weights were learnt. */
export const scaleName = 'optimizer/label_scale';
/** The slot that says how numbers were. */
export const numberScaleName = 'optimizer/number_scale';

/** Numbers that say how the labels of an output, or a column of numbers, are scaled. */
const scaleWidth = 4;

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
  if (known === undefined || scale === undefined) return true;
  scale.outputs.forEach(({ mean, deviation }, output) => {
    const own = known.subarray(scaleWidth * output, scaleWidth * (output + 1));
    const [high = 0, low = 0, large = 0, small = 0] = own;
    if (!(deviation > 0)) return;
    own.set([mean, mean - Math.fround(mean), deviation, deviation - Math.fround(deviation)]);
    const before = large + small;
    // (What came without its scale, such as weights of another model, is taken as it is.)
    if (before === 0) return;
    const ratio = before / deviation;
    const shift = (high - mean + low) / deviation;
    if (ratio === 1 && shift === 0) return;
    for (const weights of [kernel, ...tables])
      for (let i = output; i < weights.length; i += outputs) weights[i] = ratio * (weights[i] ?? 0);
    bias[output] = ratio * (bias[output] ?? 0) + shift;
  });
  return scale.outputs.some(({ deviation }) => deviation > 0);
}

/** Says the same of numbers that are standardised by other means and scales. */
export function restateNumbers(weighing: ScaledWeights, now: ColumnScales | undefined): void {
  const { numberScale: known, mostRatio, inputs, outputs, kernel, bias, covariance } = weighing;
  if (known === undefined || now === undefined) return;
  const width = denseWidth(inputs);
  const ratios = new Float64Array(width).fill(1);
  const shifts = new Float64Array(width);
  for (let i = 0; i < inputs.numbers; i++) {
    const own = known.subarray(scaleWidth * i, scaleWidth * (i + 1));
    const [high = 0, low = 0, large = 0, small = 0] = own;
    const [mean, scale] = [now.mean[i] ?? 0, now.scale[i] ?? 0];
    if (!(scale > 0)) continue;
    own.set([mean, mean - Math.fround(mean), scale, scale - Math.fround(scale)]);
    const before = large + small;
    const isAsItWas = own[0] === high && own[1] === low && own[2] === large && own[3] === small;
    // (While a number has not varied, nothing is known of it. And where all that came is next to
    // nothing beside the newest value, float32 would keep the rounding and not what is known.)
    if (isAsItWas || before === 0 || before / scale > mostRatio) continue;
    ratios[i + 1] = before / scale;
    shifts[i + 1] = (mean - high - low) * before;
  }
  const isSame = ratios.every((ratio) => ratio === 1) && shifts.every((shift) => shift === 0);
  if (isSame) return;
  const weights = kernel.slice(0, inputs.numbers * outputs);
  const sums = bias.slice();
  weights.forEach((weight, at) => {
    const [i, output] = [Math.floor(at / outputs) + 1, at % outputs];
    sums[output] = (sums[output] ?? 0) + weight * (shifts[i] ?? 0);
    weights[at] = weight * (ratios[i] ?? 1);
  });
  // (What float32 cannot hold stays as it was, as if the numbers had changed.)
  const areFinite = weights.every(Number.isFinite) && sums.every(Number.isFinite);
  if (!areFinite || !restate(covariance, ratios, shifts)) return;
  kernel.set(weights);
  bias.set(sums);
}
