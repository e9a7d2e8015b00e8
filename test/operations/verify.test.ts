import { describe, expect, it } from 'vitest';
import { verify } from '../../lib/cli/verify.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import type { ProtocolLimits } from '../../lib/limits.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { chainEngine } from '../simulation/chain-engine.ts';
import {
  createWorld,
  deliver,
  modelOf,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

async function worldWith(engine: Engine, smaller: Partial<ProtocolLimits> = {}): Promise<World> {
  const world = { ...createWorld(ticketsSpec, smaller), engine };
  for (const each of sampleMessages(6)) await deliver(world, [each]);
  return world;
}

/** The next version of an engine: it trains from the second seed on. */
const otherEngine: Engine = {
  async compile(spec) {
    const model = await chainEngine.compile(spec);
    const train: typeof model.train = (state, ...run) =>
      model.train({ ...state, step: state.step + 1 }, ...run);
    return { ...model, engine: 'chain-2', train };
  },
};

describe('a verification', () => {
  it('folds from the last kept checkpoint, or all of the journal, and finds the published state', async () => {
    const world = await worldWith(chainEngine, { keptCheckpointEntries: 4 });
    const model = await modelOf(world);
    expect(await verifyModel(world, model, false)).toMatchObject({
      from: 4,
      to: 6,
      samples: 3,
      isSame: true,
    });
    expect(await verifyModel(world, model, true)).toMatchObject({
      from: 0,
      to: 6,
      samples: 13,
      isSame: true,
    });
  });

  it('says which engine had learnt what another one folds to other bits', async () => {
    const world = await worldWith(chainEngine);
    const lines: string[] = [];
    const io = {
      ports: { ...world, engine: otherEngine },
      print: (line: string) => void lines.push(line),
      result: () => undefined,
      mayChange: async () => true,
    };
    expect(await verify(io, ticketsSpec.model, true)).toBe(1);
    expect(lines.at(-1)).toContain(
      'learnt by chain-1, and folded by chain-2: last bits may differ',
    );
    expect(await verify({ ...io, ports: world }, ticketsSpec.model, true)).toBe(0);
    expect(lines.at(-1)).toContain('entries 1 to 6, 13 samples, largest difference 0');
  });
});
