import type { Tensor, Tensors } from './engine.ts';

/**
 * Tensors that an engine knows to have finite numbers alone, because it looked at what it changed:
 * looking at all of a large table for each message would take longer than learning it.
 */
const finite = new WeakSet<Tensor>();

/** Says that all numbers of some tensors are finite. */
export function markFinite(tensors: Tensors): void {
  for (const tensor of Object.values(tensors)) finite.add(tensor);
}

/** Whether every weight and optimizer slot is a finite number. */
export function isFiniteState(tensors: Tensors): boolean {
  return Object.values(tensors).every((tensor) => finite.has(tensor) || isFiniteArray(tensor.data));
}

/** Whether all numbers are finite: 0 times a number is 0, times anything else NaN. */
export function isFiniteArray(data: Float32Array): boolean {
  // Four sums at once: each addition waits for the one before it.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a += (data[i] ?? 0) * 0;
    b += (data[i + 1] ?? 0) * 0;
    c += (data[i + 2] ?? 0) * 0;
    d += (data[i + 3] ?? 0) * 0;
  }
  for (let i = whole; i < data.length; i++) a += (data[i] ?? 0) * 0;
  return a + b + c + d === 0;
}
