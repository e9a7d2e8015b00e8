import { hashIntegers, hashOnward } from '../features/hash.ts';

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

/**
 * What rows draw by their numbers, from 0 to below 1, for the held-out split: every slice that asks
 * agrees.
 *
 * @param salt of a part, of which the rows draw by themselves
 */
export function heldOutDraw(seed: number, salt?: number): (row: number) => number {
  const begun = hashIntegers(seed);
  return (row) => {
    const drawn = hashOnward(hashOnward(begun, row), heldOutStream);
    return (salt === undefined ? drawn : hashOnward(drawn, salt)) / 2 ** 32;
  };
}

/**
 * The fold of each row by its number: of as many rows in a row as there are folds, one is in each.
 *
 * @param salt as of {@link heldOutDraw}
 */
export function foldOf(folds: number, seed: number, salt = 0): (row: number) => number {
  let known = -1;
  let order: Int32Array = new Int32Array(0);
  return (row) => {
    const block = Math.floor(row / folds);
    if (block !== known) {
      order = shuffledOrder(folds, seed, heldOutStream, salt, block);
      known = block;
    }
    return order[row % folds] ?? 0;
  };
}

/** A constant that keeps the split independent of the shuffles. */
const heldOutStream = 0x5eed;
