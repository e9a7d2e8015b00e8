import { outOfTime } from '../errors.ts';
import type { Model } from './model.ts';

/** What a model that can be broken off is given. */
export type Pace = {
  /** A clock, of which only differences count. */
  readonly seconds: () => number;
  /**
   * Is told the seconds that this model has worked so far, and those that the next block will take,
   * as far as others have told; it throws if there shall be no more. It is called before each
   * sample that is encoded and each block that is predicted or learnt.
   */
  readonly check: (spent: number, next: number) => void;
  /** Whose engines work one after the other: so that the time of one is not that of another. */
  readonly owner: object;
};

/** When the last call of an owner's engines is done. */
const turns = new WeakMap<object, Promise<unknown>>();

/** Until when a model works. */
export type Until = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** @param next seconds that the next block will take, as far as others have told */
  readonly shouldStop: (next: number) => boolean;
};

/**
 * A model whose work ends with {@link outOfTime} once there is no time for more. What is done
 * within a second is done, however little is left.
 *
 * @param what it says that there is no time for
 */
export function untilStopped(model: Model, { now, shouldStop }: Until, what: string): Model {
  const check = (spent: number, next: number) => {
    if (spent > 1 && shouldStop(next)) throw outOfTime(what);
  };
  return interruptible(model, { seconds: () => now() / 1_000, check, owner: {} });
}

/** A model whose work can be broken off. */
export function interruptible(model: Model, { seconds, check, owner }: Pace): Model {
  const { compiled, encoder } = model;
  const { experts } = compiled;
  let spent = 0;
  /** Whoever sets a clock back shall not give it more time. */
  const since = (started: number) => Math.max(0, seconds() - started);
  /** What the longest block of each kind took. */
  const longest = { predict: 0, train: 0 };
  const timed = <Result>(
    kind: keyof typeof longest,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const before = turns.get(owner) ?? Promise.resolve();
    const own = before.then(async () => {
      check(spent, longest[kind]);
      const started = seconds();
      try {
        return await work();
      } finally {
        const took = since(started);
        spent += took;
        longest[kind] = Math.max(longest[kind], took);
      }
    });
    const done = own.catch(() => undefined);
    turns.set(owner, done);
    return own;
  };
  return {
    ...model,
    first: model.first ?? model,
    encoder: {
      ...encoder,
      encode(samples) {
        const [before, started] = [spent, seconds()];
        return encoder.encode(samples, () => {
          spent = before + since(started);
          check(spent, 0);
        });
      },
    },
    compiled: {
      ...compiled,
      train: (...run) => timed('train', () => compiled.train(...run)),
      predict: (...run) => timed('predict', () => compiled.predict(...run)),
      ...(experts && {
        experts: {
          ...experts,
          predictEach: (...run) => timed('predict', () => experts.predictEach(...run)),
        },
      }),
    },
  };
}
