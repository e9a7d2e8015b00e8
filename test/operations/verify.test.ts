import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { verify } from '../../lib/cli/verify.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import type { ProtocolLimits } from '../../lib/limits.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { ProducerRecord } from '../../lib/state/ledger.ts';
import type { State } from '../../lib/state/state.ts';
import { chainEngine } from '../simulation/chain-engine.ts';
import { first, ioOf, second, stateOf } from '../support/arithmetics.ts';
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
    const train: typeof model.train = async (before, ...run) => {
      const trained = await model.train({ ...before, step: before.step + 1 }, ...run);
      return { ...trained, state: { ...trained.state, step: trained.state.step - 1 } };
    };
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

  it('tells what another arithmetic rounded otherwise from what it cannot tell', async () => {
    const world = await worldWith(chainEngine);
    const lines: string[] = [];
    expect(await verify(ioOf(world, otherEngine, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.at(-1)).toMatch(
      /entries 1 to 6 were learnt by chain-1, .* chain-2 does not make: .* verify them where/,
    );
    expect(await verify(ioOf(world, chainEngine, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.at(-1)).toContain('entries 1 to 6, 13 samples, largest difference 0');

    const rounded = await worldWith(second);
    expect(await verify(ioOf(rounded, first, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.at(-1)).toMatch(
      /entries 1 to 6 were learnt by wasm-2, whose bits wasm-1 does not make: .* within the 0.01/,
    );
  });

  const edits: Record<string, (state: State) => State> = {
    'a weight': (state) => {
      const [name = '', tensor] = Object.entries(state.tensors)[0] ?? [];
      const data = Float32Array.from(tensor?.data ?? [], (each) => each + 0.1);
      return {
        ...state,
        tensors: { ...state.tensors, [name]: { shape: tensor?.shape ?? [], data } },
      };
    },
    'a statistic': ({ statistics, ...state }) => ({
      ...state,
      statistics: { ...statistics, mean: statistics.mean.map((each) => each + 1_000) },
    }),
    'what was learnt': (state) => ({ ...state, learnt: state.learnt + 1 }),
    'the labels alone': (state) => ({
      ...state,
      ...(state.prior && { prior: { ...state.prior, loss: 1e9 } }),
    }),
  };

  it.each([
    ['is cut short', (own: Uint8Array) => own.subarray(0, 100), [4]],
    ['is of another entry', (_: Uint8Array, published: Uint8Array) => published, [4]],
    ['is as it was', (own: Uint8Array) => own, []],
  ])('names a kept state that %s', async (_, change, damaged) => {
    const world = await worldWith(chainEngine, { keptCheckpointEntries: 4 });
    const key = keys.checkpoint(ticketsSpec.model, 4);
    const [own, published] = await Promise.all(
      [key, keys.state(ticketsSpec.model)].map(async (each) => (await world.store.get(each))?.body),
    );
    await world.store.put(key, change(own ?? new Uint8Array(), published ?? new Uint8Array()));
    for (const isAll of [true, false]) {
      const lines: string[] = [];
      const answer = await verify(ioOf(world, chainEngine, lines), ticketsSpec.model, isAll);
      const isSaid = lines.some((line) => line.includes(`${key} is not the state of entry 4`));
      expect([answer, isSaid]).toEqual([damaged.length, damaged.length > 0]);
    }
    const found = await verifyModel(world, await modelOf(world), true);
    expect(found.damagedStates).toEqual(damaged);
  });

  it('says which entry is gone though the published state has learnt it', async () => {
    const world = await worldWith(chainEngine);
    const model = await modelOf(world);
    world.store.remove(keys.entry(model.name, 6));
    for (const isAll of [true, false])
      await expect(verifyModel(world, model, isAll)).rejects.toThrow(
        `${keys.entry(model.name, 6)} is missing, and the published state is at entry 6: bring it`,
      );
  });

  it('says that a journal without entries has nothing to verify', async () => {
    const world = { ...createWorld(), engine: first };
    const lines: string[] = [];
    expect(await verify(ioOf(world, first, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines).toEqual(['tickets: its journal has no entry yet, so there is nothing to verify']);
  });

  it.each(Object.keys(edits))('finds %s that was changed in the published state', async (what) => {
    const world = await worldWith(first);
    const edited = edits[what]?.(await stateOf(world)) as State;
    await world.store.put(keys.state(ticketsSpec.model), encodeCheckpoint(edited));
    const lines: string[] = [];
    expect(await verify(ioOf(world, first, lines), ticketsSpec.model, true)).toBe(1);
    expect(lines.at(-1)).toContain('the state stored for entry 6 is not the fold of its journal');
    // Of weights, another arithmetic says how far they are, and that it cannot tell.
    const answer = await verify(ioOf(world, second, lines), ticketsSpec.model, true);
    expect([answer, lines.at(-1)]).toEqual(
      what === 'a weight'
        ? [0, expect.stringMatching(/more than rounding makes/)]
        : [1, expect.stringMatching(/the state stored for entry 6 is not the fold/)],
    );
  });
});
