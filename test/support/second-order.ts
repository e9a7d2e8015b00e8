import { expect } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { bySecondOrder } from '../../lib/engine/experts/second-order.ts';
import { solved } from '../../lib/engine/experts/solve.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { allocateSamples } from '../../lib/features/samples.ts';
import type { LabelScale } from '../../lib/features/scaling.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

/** The engine of a spec, on one thread. */
export const engine = createEngine({ threads: 1, warn: () => undefined });
/** From −1 up to 1, by a place. */
export const draw = (...place: number[]) => hashIntegers(7, ...place) / 2 ** 31 - 1;

/** A linear model of numbers alone, by second order. */
export async function linearOf(task: 'regression' | 'binary', width: number) {
  const spec = defineSpec({
    model: 'm',
    task,
    features: { x: { type: 'vector', length: width } },
    network: { hidden: [] },
    optimizer: { type: 'sgd', rate: 1 },
  });
  return { compiled: bySecondOrder(spec, await engine.compile(spec), true) };
}

/** Samples of numbers alone. */
export function samplesOf(
  rows: readonly { readonly x: readonly number[]; readonly label: number }[],
) {
  const width = rows[0]?.x.length ?? 0;
  const samples = allocateSamples(rows.length, { numberWidth: width, categoryCount: 0 });
  rows.forEach(({ x, label }, i) => {
    samples.numbers.set(x, i * width);
    samples.labels[i] = label;
    samples.weights[i] = 1;
  });
  return samples;
}

/** Weights and covariance of ridge regression, in float64: bias first. */
export function ridge(rows: readonly { readonly x: readonly number[]; readonly label: number }[]) {
  const size = 1 + (rows[0]?.x.length ?? 0);
  const matrix = new Float64Array(size * size);
  const right = new Float64Array(size);
  for (let i = 0; i < size; i++) matrix[i * size + i] = i === 0 ? 1 / 10 : 1;
  for (const { x, label } of rows) {
    const values = [1, ...x];
    values.forEach((value, i) => {
      right[i] = (right[i] ?? 0) + value * label;
      values.forEach((other, j) => {
        matrix[i * size + j] = (matrix[i * size + j] ?? 0) + value * other;
      });
    });
  }
  return solved(matrix, right);
}

/** @param digits behind the point */
export function expectNear(
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  digits: number,
): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < found.length; i++)
    expect(found[i]).toBeCloseTo(wanted[i] ?? Number.NaN, digits);
}

/** Labels with a mean and a deviation. */
export const scale = (mean: number, deviation: number): LabelScale => ({
  outputs: [{ mean, deviation }],
  isExact: true,
});
