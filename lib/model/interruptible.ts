import type { Model } from './model.ts';

/**
 * A model whose work can be broken off.
 *
 * @param check is called before each sample that it encodes, and before each block of samples that
 *   it predicts or learns, and throws if there shall be no more
 */
export function interruptible(model: Model, check: () => void): Model {
  const { compiled, encoder } = model;
  return {
    ...model,
    encoder: { ...encoder, encode: (samples) => encoder.encode(samples, check) },
    compiled: {
      ...compiled,
      async train(...run) {
        check();
        return compiled.train(...run);
      },
      async predict(...run) {
        check();
        return compiled.predict(...run);
      },
    },
  };
}
