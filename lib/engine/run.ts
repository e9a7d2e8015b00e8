import { type EncodedSamples, labelsOfRow } from '../features/samples.ts';
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
  for (let start = 0; start < rows.length; start += minibatch) {
    const end = Math.min(start + minibatch, rows.length);
    let sum = 0;
    for (let i = start; i < end; i++) {
      const row = rows[i] ?? 0;
      for (let at = 0; at < width; at++)
        labels[i * width + at] = samples.labels[row * width + at] ?? 0;
      shares[i] = weights[row] ?? 0;
      sum += importance[row] ?? 0;
    }
    if (sum > 0) for (let i = start; i < end; i++) shares[i] = (shares[i] ?? 0) / sum;
  }
  labels.fill(0, rows.length * width);
  shares.fill(0, rows.length);
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
  for (let i = 0; i < steps; i++) {
    const step = firstStep + i;
    const coefficients = coefficientsOf(optimizer, rateAt(run, step), step);
    for (const name of coefficientNames(optimizer)) {
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
