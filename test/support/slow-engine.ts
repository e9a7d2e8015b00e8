import type { Work } from '../../lib/engine/engine.ts';
import type { Ports } from '../../lib/ports/ports.ts';

/** What work takes: it is told before each call. */
export type Costs = {
  readonly train: () => void;
  /** @param rows how many are predicted */
  readonly predict?: (rows: number) => void;
  /** What it says that a sample takes. */
  readonly work?: Work;
};

/** An engine each call of which takes something. */
export function slowEngine(
  engine: Ports['engine'],
  { train, predict, work }: Costs,
): Ports['engine'] {
  return {
    async compile(spec) {
      const compiled = await engine.compile(spec);
      return {
        ...compiled,
        work: work ?? compiled.work,
        train(...run) {
          train();
          return compiled.train(...run);
        },
        predict(parameters, samples) {
          predict?.(samples.count);
          return compiled.predict(parameters, samples);
        },
      };
    },
  };
}
