import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { verify } from '../../lib/cli/verify.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import type { ProtocolLimits } from '../../lib/limits.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { ProducerRecord } from '../../lib/state/ledger.ts';
import { chainEngine } from '../simulation/chain-engine.ts';
import {
  createWorld,
  deliver,
  message,
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

  it('holds where a state of an earlier release knew fewer numbers, and refused a repetition', async () => {
    const world = { ...createWorld(), engine: chainEngine };
    const messages = sampleMessages(60, 'till');
    for (const each of messages.slice(0, 40)) await deliver(world, [each]);
    // As release 0.3 wrote it: the digests of the latest eight numbers.
    const object = await world.store.get(keys.state(ticketsSpec.model));
    const state = decodeCheckpoint(object?.body ?? new Uint8Array());
    const producers = [...state.ledger.producers].map(
      ([name, { latest = [], ...record }]): [string, ProducerRecord] => [
        name,
        { ...record, latest: latest.slice(-8) },
      ],
    );
    const ledger = { ...state.ledger, producers: new Map(producers) };
    await world.store.put(keys.state(ticketsSpec.model), encodeCheckpoint({ ...state, ledger }));
    for (const each of messages.slice(40, 50)) await deliver(world, [each]);
    // Number 20 comes once more, and the producer begins again with other samples at 1.
    const again = (seq: number, from: number) => ({
      ...message(100 + seq, JSON.parse(messages[from - 1]?.body ?? '')),
      body: JSON.stringify({ ...JSON.parse(messages[from - 1]?.body ?? ''), seq }),
    });
    await deliver(world, [again(20, 20)]);
    await deliver(world, [again(1, 55)]);
    const refused = await readQuarantine(world.store, ticketsSpec.model);
    expect(refused.map((record) => record.refused[0]?.code)).toEqual([
      'number-too-old',
      'number-too-old',
    ]);
    const model = await modelOf(world);
    expect(await verifyModel(world, model, true)).toMatchObject({ to: 52, isSame: true });
    world.store.remove(keys.state(ticketsSpec.model));
    await deliver(world, [messages[50] ?? message(999, {})]);
    expect(await verifyModel(world, model, true)).toMatchObject({ to: 53, isSame: true });
    const left = (await retryQuarantine(world, ticketsSpec.model)).left;
    expect(left.map(({ reason }) => reason)).toEqual(['it was learnt before']);
  });

  const ioOf = (world: World, engine: Engine, lines: string[]) => ({
    ports: { ...world, engine },
    print: (line: string) => void lines.push(line),
    result: () => undefined,
    mayChange: async () => true,
  });

  it('tells what another arithmetic rounded otherwise from what nothing explains', async () => {
    const world = await worldWith(chainEngine);
    const lines: string[] = [];
    expect(await verify(ioOf(world, otherEngine, lines), ticketsSpec.model, true)).toBe(1);
    expect(lines.at(-1)).toMatch(
      /entries 1 to 6 were learnt by chain-1, .* chain-2 does not make: .* more than the 0.01/,
    );
    expect(await verify(ioOf(world, chainEngine, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.at(-1)).toContain('entries 1 to 6, 13 samples, largest difference 0');

    const rounded = await worldWith(rounding(wasmEngine(), 'wasm-0'));
    expect(await verify(ioOf(rounded, wasmEngine(), lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.at(-1)).toMatch(
      /entries 1 to 6 were learnt by wasm-0, whose bits wasm-1 does not make: .* within 0.01 of it/,
    );
  });

  it('finds a state that is not the fold of its journal, whoever looks', async () => {
    const world = await worldWith(wasmEngine());
    const key = keys.state(ticketsSpec.model);
    const state = decodeCheckpoint((await world.store.get(key))?.body ?? new Uint8Array());
    const [name = '', tensor] = Object.entries(state.tensors)[0] ?? [];
    const data = Float32Array.from(tensor?.data ?? [], (each, i) => (i === 0 ? each + 0.1 : each));
    const tensors = { ...state.tensors, [name]: { shape: tensor?.shape ?? [], data } };
    await world.store.put(key, encodeCheckpoint({ ...state, tensors }));
    const lines: string[] = [];
    expect(await verify(ioOf(world, wasmEngine(), lines), ticketsSpec.model, true)).toBe(1);
    expect(lines.at(-1)).toContain('the state stored for entry 6 is not the fold of its journal');
    const other = rounding(wasmEngine(), 'wasm-2');
    expect(await verify(ioOf(world, other, lines), ticketsSpec.model, true)).toBe(1);
    expect(lines.at(-1)).toMatch(/more than the 0.01 that rounding makes/);
  });

  it('confirms each part of a model that moved from one arithmetic to another and back', async () => {
    const messages = sampleMessages(12);
    const [first, second] = [wasmEngine(), rounding(wasmEngine(), 'wasm-2')];
    const world = createWorld(ticketsSpec);
    for (const [i, each] of messages.entries()) {
      const engine = i < 4 || i >= 8 ? first : second;
      await deliver({ ...world, engine }, [each]);
    }
    const published = await world.store.get(keys.state(ticketsSpec.model));
    const moved = [5, 9];
    for (const sequence of [1, 5, 6, 9, 12]) {
      const entry = await readEntry(world.store, ticketsSpec.model, sequence);
      expect(entry?.header.checkpoint !== undefined, `entry ${sequence}`).toBe(
        moved.includes(sequence),
      );
    }
    const lines: string[] = [];
    expect(await verify(ioOf(world, first, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.filter((line) => line.includes('were learnt by'))).toEqual([
      expect.stringMatching(/entries 5 to 8 were learnt by wasm-2/),
    ]);
    // The published state is a cache: without it, the same bits come out of the journal.
    world.store.remove(keys.state(ticketsSpec.model));
    const folding = { ...world, engine: first };
    expect(encodeCheckpoint(await currentState(folding, await modelOf(folding)))).toEqual(
      encodeCheckpoint(decodeCheckpoint(published?.body ?? new Uint8Array())),
    );
    // The other one folds its own part to the bit, and the rest up to rounding.
    expect(await verify(ioOf(world, second, lines), ticketsSpec.model, true)).toBe(1);
    await deliver(folding, [message(99, { samples: JSON.parse(messages[0]?.body ?? '').samples })]);
    expect(await verify(ioOf(world, second, lines), ticketsSpec.model, true)).toBe(0);
  });
});
