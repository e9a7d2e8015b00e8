import { hashIntegers } from '../../lib/features/hash.ts';

/** Numbers that only a seed and the calls so far decide. */
export type Random = {
  /** From 0 to below 1. */
  readonly next: () => number;
  readonly chance: (probability: number) => boolean;
  /** An integer from `from` to `to`, both included. */
  readonly integer: (from: number, to: number) => number;
  readonly pick: <Item>(items: readonly [Item, ...Item[]]) => Item;
};

/** A stream of random numbers; `stream` sets several streams of one seed apart. */
export function createRandom(seed: number, stream: number): Random {
  let calls = 0;
  const next = () => hashIntegers(seed, stream, calls++) / 2 ** 32;
  const integer = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(0, items.length - 1)] ?? items[0],
  };
}
