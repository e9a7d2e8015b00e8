import { elementBytes } from '../../wasm/instructions.ts';
import { isSameShape, sizeOf } from '../trace/graph.ts';
import { stridesOf } from './loops.ts';

/** A value as a part of one that lies in memory; strides and offset are in bytes. */
export type Reference = {
  readonly base: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly strides: readonly number[];
};

/** Whether the elements of a reference lie one after another. */
export function isContiguous({ shape, strides }: Reference): boolean {
  const own = stridesOf(shape);
  return shape.every((size, i) => size === 1 || strides[i] === own[i]);
}

/** Whether a reference is the whole of a value in the shape that it has. */
export function isWhole(reference: Reference, shape: readonly number[]): boolean {
  return reference.offset === 0 && isSameShape(reference.shape, shape) && isContiguous(reference);
}

/**
 * How far a reference goes on along the dimensions of a loop that it is broadcast over, as NumPy
 * does.
 */
export function broadcastStrides(
  { shape, strides }: Pick<Reference, 'shape' | 'strides'>,
  domain: readonly number[],
): number[] {
  const missing = domain.length - shape.length;
  return domain.map((size, i) => {
    const own = shape[i - missing];
    return own === undefined || (own === 1 && size !== 1) ? 0 : (strides[i - missing] ?? 0);
  });
}

/** Bytes of a value. */
export function bytesOfShape(shape: readonly number[]): number {
  return sizeOf(shape) * elementBytes;
}
