import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { verify } from '../../lib/cli/verify.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
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

describe('a model that moves from one arithmetic to another', () => {
  /** Delivers messages one by one, each to an engine. */
  const deliverBy = async (world: World, engines: readonly Engine[], from = 0) => {
    const messages = sampleMessages(from + engines.length).slice(from);
    for (const [i, engine] of engines.entries())
      await deliver({ ...world, engine }, [messages[i] ?? message(0, {})]);
  };
  const times = (count: number, engine: Engine) => Array.from({ length: count }, () => engine);

  /** What a fold by an engine from nothing but the journal and its checkpoints comes to. */
  const foldedBy = async (world: World, engine: Engine) => {
    const published = await world.store.get(keys.state(ticketsSpec.model));
    world.store.remove(keys.state(ticketsSpec.model));
    const folding = { ...world, engine };
    const state = await currentState(folding, await modelOf(folding));
    if (published !== undefined)
      await world.store.put(keys.state(ticketsSpec.model), published.body);
    return state;
  };
  const namedIn = async (world: World, entries: number) => {
    const named: number[] = [];
    for (let sequence = 1; sequence <= entries; sequence++) {
      const entry = await readEntry(world.store, ticketsSpec.model, sequence);
      if (entry?.header.checkpoint !== undefined) named.push(sequence);
    }
    return named;
  };

  it('and back is confirmed part by part', async () => {
    const world = createWorld(ticketsSpec);
    await deliverBy(world, [...times(4, first), ...times(4, second), ...times(4, first)]);
    expect(await namedIn(world, 12)).toEqual([5, 9]);
    const lines: string[] = [];
    expect(await verify(ioOf(world, first, lines), ticketsSpec.model, true)).toBe(0);
    expect(lines.filter((line) => line.includes('were learnt by'))).toEqual([
      expect.stringMatching(/entries 5 to 8 were learnt by wasm-2/),
    ]);
    // The published state is a cache: without it, the same bits come out of the journal.
    expect(encodeCheckpoint(await foldedBy(world, first))).toEqual(
      encodeCheckpoint(await stateOf(world)),
    );
    expect(await verify(ioOf(world, second, lines), ticketsSpec.model, true)).toBe(0);
    world.store.remove(keys.checkpoint(ticketsSpec.model, 4));
    expect(await verify(ioOf(world, first, lines), ticketsSpec.model, true)).toBe(1);
    expect(lines.at(-1)).toContain('the checkpoint that entry 5 goes on from is missing or was');
  });

  it('goes on from what the other folded and published of its own entry', async () => {
    const world = createWorld(ticketsSpec);
    await deliverBy(world, [first]);
    world.store.hook = ({ operation, key, when }) => {
      if (operation !== 'put' || key !== keys.state(ticketsSpec.model) || when !== 'before') return;
      world.store.hook = () => undefined;
      throw new Error('the machine is gone');
    };
    await expect(deliverBy(world, [second], 1)).rejects.toThrow('the machine is gone');
    await deliverBy(world, [first, second], 1).catch(() => undefined);
    await deliverBy(world, [second, second], 2);
    expect(await namedIn(world, 4)).toEqual([2, 3]);
    const lines: string[] = [];
    for (const engine of [second, first])
      expect(await verify(ioOf(world, engine, lines), ticketsSpec.model, true), lines.at(-1)).toBe(
        0,
      );
    expect(encodeCheckpoint(await foldedBy(world, second))).toEqual(
      encodeCheckpoint(await stateOf(world)),
    );
  });

  it.each([
    ['is seldom published', { publishEvery: 4 }, {}],
    ['keeps a checkpoint of every fourth entry', {}, { keptCheckpointEntries: 4 }],
  ])('because its writers take turns holds where it %s', async (_, online, smaller) => {
    const spec = { ...ticketsSpec, online: { ...ticketsSpec.online, ...online } };
    const world = createWorld(spec, smaller);
    await deliverBy(world, [
      first,
      second,
      second,
      first,
      first,
      first,
      second,
      first,
      second,
      second,
    ]);
    const lines: string[] = [];
    for (const engine of [first, second])
      expect(await verify(ioOf(world, engine, lines), spec.model, true), lines.join('\n')).toBe(0);
    // Whoever folds what the last writer made has its bits, whatever is published.
    const folding = { ...world, engine: second };
    const current = await currentState(folding, await modelOf(folding));
    expect(encodeCheckpoint(await foldedBy(world, second))).toEqual(encodeCheckpoint(current));
    expect(await namedIn(world, 10)).toEqual([2, 4, 7, 8, 9]);
  });

  it('is kept also by a writer that has folded entries of the other', async () => {
    const spec = { ...ticketsSpec, online: { ...ticketsSpec.online, publishEvery: 4 } };
    const world = createWorld(spec);
    await deliverBy(world, [...times(6, first), ...times(6, second)]);
    expect(await namedIn(world, 12)).toEqual([7]);
    expect(encodeCheckpoint(await foldedBy(world, second))).toEqual(
      encodeCheckpoint(await stateOf(world)),
    );
  });

  it('is kept in place of what is damaged there', async () => {
    const world = createWorld(ticketsSpec);
    await deliverBy(world, times(4, first));
    await world.store.put(keys.checkpoint(ticketsSpec.model, 4), Buffer.from('garbage'));
    await deliverBy(world, times(4, second), 4);
    expect(await namedIn(world, 8)).toEqual([5]);
    expect(encodeCheckpoint(await foldedBy(world, second))).toEqual(
      encodeCheckpoint(await stateOf(world)),
    );
  });

  it('takes no checkpoint that lies under the key of another entry', async () => {
    const world = createWorld(ticketsSpec);
    await deliverBy(world, times(6, first));
    const six = encodeCheckpoint(await stateOf(world));
    await world.store.put(keys.checkpoint(ticketsSpec.model, 3), six);
    await deliver({ ...world, engine: first }, [message(50, { rollback: { to: 3 } })]);
    expect((await readEntry(world.store, ticketsSpec.model, 7))?.header.kind).toBe('rollback');
    const lines: string[] = [];
    expect(await verify(ioOf(world, first, lines), ticketsSpec.model, true)).toBe(1);
    const key = keys.checkpoint(ticketsSpec.model, 3);
    expect(lines.slice(1)).toEqual([expect.stringContaining(`${key} is not the state of entry 3`)]);
  });

  it('by an entry without samples is no reason to cry wolf', async () => {
    const world = createWorld(ticketsSpec);
    await deliverBy(world, times(5, first));
    await deliver({ ...world, engine: second }, [message(50, { rollback: { to: 3 } })]);
    await deliverBy(world, times(3, first), 5);
    const lines: string[] = [];
    for (const engine of [first, second])
      expect(
        await verify(ioOf(world, engine, lines), ticketsSpec.model, true),
        lines.join('\n'),
      ).toBe(0);
  });
});
