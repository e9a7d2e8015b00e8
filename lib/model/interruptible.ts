import type { Model } from './model.ts';

/**
 * A model whose work can be broken off.
 *
 * @param seconds a clock, of which only differences count
 * @param check is told the seconds that this model has worked so far, others' time not counted; it
 *   is called before each sample that is encoded and each block that is predicted or learnt, and
 *   throws if there shall be no more
 */
export function interruptible(
  model: Model,
  seconds: () => number,
  check: (spent: number) => void,
): Model {
  const { compiled, encoder } = model;
  const { experts } = compiled;
  let spent = 0;
  const timed = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    check(spent);
    const started = seconds();
    try {
      return await work();
    } finally {
      spent += seconds() - started;
    }
  };
  return {
    ...model,
    encoder: {
      ...encoder,
      encode(samples) {
        const [before, started] = [spent, seconds()];
        return encoder.encode(samples, () => {
          spent = before + seconds() - started;
          check(spent);
        });
      },
    },
    compiled: {
      ...compiled,
      train: (...run) => timed(() => compiled.train(...run)),
      predict: (...run) => timed(() => compiled.predict(...run)),
      ...(experts && {
        experts: {
          ...experts,
          predictEach: (...run) => timed(() => experts.predictEach(...run)),
        },
      }),
    },
  };
}
