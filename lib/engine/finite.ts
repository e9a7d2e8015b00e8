import type { Tensors } from './engine.ts';

/**
 * States that an engine knows to have finite numbers alone, because it looked at what it changed:
 * looking at all of a large table for each message would take longer than learning it.
 */
const finite = new WeakSet<Tensors>();

/** Says that all numbers of a state are finite. */
export function markFinite(tensors: Tensors): void {
  finite.add(tensors);
}

/** Whether every weight and optimizer slot is a finite number. */
export function isFiniteState(tensors: Tensors): boolean {
  return finite.has(tensors) || Object.values(tensors).every(({ data }) => isFiniteArray(data));
}

/** Whether all numbers are finite: 0 times a number is 0, times anything else NaN. */
export function isFiniteArray(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i] ?? 0) * 0;
  return sum === 0;
}
