import { type EncodedSamples, type Floats, labelsOfRow } from '../features/samples.ts';
import { type Coefficients, coefficientNames, coefficientsOf } from '../network/coefficients.ts';
import { type MaskCounter, writeMask } from '../network/dropout.ts';
import { rateAt } from '../network/schedules.ts';
import type { OptimizerSpec } from '../spec/spec.ts';
import type { EngineState, Run, Trained } from './engine.ts';

/** A run whose rows are named. */
export type OrderedRun = Run & { readonly order: Int32Array };

/** Rows `start … start + count`. */
export function rowsInOrder(count: number, start = 0): Int32Array {
  const rows = new Int32Array(count);
  for (let i = 0; i < count; i++) rows[i] = start + i;
  return rows;
}

/**
 * Labels and shares of the rows of some steps, [steps × minibatch] each; of labels with several
 * numbers all of them, row by row.
 */
export type Targets = { readonly labels: Float32Array; readonly shares: Float32Array };

/**
 * Writes labels, and each row's share of its minibatch: its weight by the sum of their importance,
 * 0 where that is 0. Rows that fill up the last minibatch have none.
 */
export function writeTargets(
  { labels, shares }: Targets,
  samples: EncodedSamples,
  rows: Int32Array,
  minibatch: number,
): void {
  const { weights, importance = weights } = samples;
  const width = labelsOfRow(samples);
  copyRows(labels, samples.labels, rows, width);
  labels.fill(0, rows.length * width);
  copyRows(shares, weights, rows, 1);
  shares.fill(0, rows.length);
  for (let start = 0; start < rows.length; start += minibatch) {
    const end = Math.min(start + minibatch, rows.length);
    let sum = 0;
    for (let i = start; i < end; i++) sum += importance[rows[i] ?? 0] ?? 0;
    if (sum > 0) for (let i = start; i < end; i++) shares[i] = (shares[i] ?? 0) / sum;
  }
}

/**
 * Copies so many elements of each of some rows, one row after another, as their bits: JavaScript
 * copies whole numbers without making float64 of them.
 */
export function copyRows(
  to: Float32Array | Int32Array,
  from: Floats | Int32Array,
  rows: Int32Array,
  width: number,
): void {
  const [first = 0] = rows;
  const isSame = from.BYTES_PER_ELEMENT === to.BYTES_PER_ELEMENT;
  const [target, values] = isSame ? [bitsOf(to), bitsOf(from)] : [to, from];
  let isInOrder = true;
  for (let i = 1; i < rows.length && isInOrder; i++) isInOrder = rows[i] === first + i;
  if (isInOrder) {
    target.set(values.subarray(first * width, (first + rows.length) * width));
    return;
  }
  let place = 0;
  for (let i = 0; i < rows.length; i++) {
    const start = (rows[i] ?? 0) * width;
    for (let at = start; at < start + width; at++) target[place++] = values[at] ?? 0;
  }
}

function bitsOf({ buffer, byteOffset, length }: Floats | Int32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

/**
 * Trains a run of whole minibatches, and then the rest as one minibatch of its size: where a row's
 * output depends on the others, rows of padding would change it.
 */
export async function trainUnpadded(
  state: EngineState,
  run: OrderedRun,
  train: (state: EngineState, run: OrderedRun) => Promise<Trained>,
): Promise<Trained> {
  const { minibatch, order } = run;
  const rest = order.length % minibatch;
  if (rest === 0) return train(state, run);
  const first = await train(state, { ...run, order: order.subarray(0, -rest) });
  const short = { ...run, minibatch: rest, order: order.subarray(-rest) };
  const second = await train(first.state, short);
  return { state: second.state, losses: Float32Array.of(...first.losses, ...second.losses) };
}

/** Room for a coefficient of each step, by name: [steps] each. */
export type CoefficientArrays = Readonly<Partial<Record<keyof Coefficients<number>, Float32Array>>>;

/** Writes the optimizer's coefficients of steps, from `firstStep` on. */
export function writeCoefficients(
  arrays: CoefficientArrays,
  optimizer: OptimizerSpec,
  run: Run,
  { firstStep, steps }: { readonly firstStep: number; readonly steps: number },
): void {
  const names = coefficientNames(optimizer);
  for (let i = 0; i < steps; i++) {
    const step = firstStep + i;
    const coefficients = coefficientsOf(optimizer, rateAt(run, step), step);
    for (const name of names) {
      const array = arrays[name];
      if (array !== undefined) array[i] = coefficients[name] ?? 0;
    }
  }
}

/** Writes one mask of dropout for each of some steps, of `size` elements each. */
export function writeMasks(
  all: Float32Array,
  size: number,
  rate: number,
  { seed, step, index }: MaskCounter,
): void {
  for (let i = 0; i * size < all.length; i++)
    writeMask(all.subarray(i * size, (i + 1) * size), rate, { seed, step: step + i, index });
}
