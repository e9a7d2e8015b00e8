import { hashIntegers } from '../features/hash.ts';

/**
 * A permutation of 0 … count − 1 that depends on the key alone: Fisher–Yates with xorshift32
 * (Marsaglia 2003). The order of an epoch comes from (seed, epoch, shard), so that a resumed run
 * shuffles as the first one did.
 */
export function shuffledOrder(count: number, ...key: readonly number[]): Int32Array {
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  let random = hashIntegers(...key) || 1;
  for (let last = count - 1; last > 0; last--) {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    const other = (random >>> 0) % (last + 1);
    const swapped = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = swapped;
  }
  return order;
}

/** A row by its number, in a part with a salt of its own. */
type Drawn = { readonly row: number; readonly salt?: number | undefined };

/** What a row draws, from 0 to below 1, for the held-out split: every slice that asks agrees. */
export function drawHeldOut(seed: number, { row, salt }: Drawn): number {
  const drawn =
    salt === undefined
      ? hashIntegers(seed, row, heldOutStream)
      : hashIntegers(seed, row, heldOutStream, salt);
  return drawn / 2 ** 32;
}

/** A constant that keeps the split independent of the shuffles. */
const heldOutStream = 0x5eed;
