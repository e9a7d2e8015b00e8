import { keys } from '../../lib/bucket/keys.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { State } from '../../lib/state/state.ts';
import { ticketsSpec, type World } from './world.ts';

/** An engine as another processor would be: the last bits of its steps are others. */
function rounding(engine: Engine, name: string): Engine {
  return {
    async compile(spec) {
      const model = await engine.compile(spec);
      const train: typeof model.train = async (before, ...run) => {
        const { state, losses } = await model.train(before, ...run);
        const tensors = Object.entries(state.tensors).map(([each, { shape, data }]) => [
          each,
          { shape, data: data.map((value) => value * (1 + 2 ** -22)) },
        ]);
        return { state: { ...state, tensors: Object.fromEntries(tensors) }, losses };
      };
      return { ...model, engine: name, train };
    },
  };
}

/** Two arithmetics of the same engine. */
export const [first, second] = [wasmEngine(), rounding(wasmEngine(), 'wasm-2')];

/** The command line over a world whose engine is another one. */
export const ioOf = (world: World, engine: Engine, lines: string[]) => ({
  ports: { ...world, engine },
  print: (line: string) => void lines.push(line),
  result: () => undefined,
  mayChange: async () => true,
});

/** A stored state; the published one unless a key is given. */
export const stateOf = async (world: World, key = keys.state(ticketsSpec.model)): Promise<State> =>
  decodeCheckpoint((await world.store.get(key))?.body ?? new Uint8Array());
