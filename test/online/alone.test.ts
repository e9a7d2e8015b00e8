import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const stateKey = keys.state(model);

describe('a machine that was alone with a model lately', () => {
  /** A world, its messages, and what a machine keeps after the first of them. */
  async function warm() {
    const world = createWorld();
    const messages = sampleMessages(5, 'till');
    const { cached } = await deliver(world, messages.slice(0, 1));
    return { world, messages, cached };
  }

  /** What is asked of the store from now on, each as it is answered. */
  function callsOf(world: World): string[] {
    const calls: string[] = [];
    world.store.hook = ({ operation, key, when }) => {
      if (when === 'after') calls.push(`${operation} ${key}`);
    };
    return calls;
  }

  it('asks once whose journal it is, and for nothing more', async () => {
    const { world, messages, cached } = await warm();
    const calls = callsOf(world);
    const { settled } = await deliver(world, messages.slice(1, 3), undefined, cached);
    expect(settled).toBe(2);
    expect(calls).toEqual([
      `get ${keys.entry(model, 1)}`,
      `put ${keys.entry(model, 2)}`,
      `put ${stateKey}`,
    ]);
  });

  it('learns nothing twice where somebody else was faster, and looks first from then on', async () => {
    const { world, messages, cached } = await warm();
    await deliver(world, messages.slice(1, 3));
    const later = await deliver(world, messages.slice(1), undefined, cached);
    expect(later).toMatchObject({ settled: 4, cached: { isAlone: false } });
    expect(later.entries.map(({ sequence }) => sequence)).toEqual([3]);
    expect(later.cached?.state).toEqual(await foldJournal(world));
    const calls = callsOf(world);
    const next = message(90, { producer: 'till', seq: 6, samples: [ticket(6)] });
    const last = await deliver(world, [next], undefined, later.cached);
    expect(calls.indexOf(`get ${keys.entry(model, 4)}`)).toBeLessThan(
      calls.indexOf(`put ${keys.entry(model, 4)}`),
    );
    expect(last.cached?.isAlone).toBe(true);
  });

  it('reads on before it decides a command', async () => {
    const { world, messages, cached } = await warm();
    await deliver(world, messages.slice(1, 3));
    const rollback = message(91, { rollback: { to: 2 } });
    const calls = callsOf(world);
    const { entries } = await deliver(world, [rollback], undefined, cached);
    expect(entries).toMatchObject([{ sequence: 3, kind: 'rollback', to: 2 }]);
    expect(calls.slice(0, 2).sort()).toEqual([1, 2].map((n) => `get ${keys.entry(model, n)}`));
  });

  it('commits nothing while nobody answers whose journal it is', async () => {
    const { world, messages, cached } = await warm();
    world.store.hook = ({ operation }) => {
      if (operation === 'get') throw new MillraceError('unavailable', 'S3 does not answer');
    };
    await expect(deliver(world, messages, undefined, cached)).rejects.toThrow('does not answer');
    world.store.hook = () => undefined;
    expect((await foldJournal(world)).sequence).toBe(1);
  });

  it.each(['created again', 'gone'])(
    'writes nothing into a model that is %s by now, and refuses there what is to be refused',
    async (how) => {
      const { world, cached } = await warm();
      const spec = await world.store.get(keys.spec(model));
      for (const key of world.store.objects.keys()) world.store.remove(key);
      const mixed = message(70, { samples: [ticket(1), { features: {}, label: true }] });
      if (how === 'gone')
        await expect(deliver(world, [mixed], undefined, cached)).rejects.toThrow('no model');
      expect([...world.store.objects.keys()]).toEqual([]);
      await world.store.put(keys.spec(model), spec?.body ?? new Uint8Array());
      await deliver(world, [mixed], undefined, how === 'gone' ? undefined : cached);
      const records = await readQuarantine(world.store, model);
      expect(records).toMatchObject([{ message: mixed.id, sequence: 1 }]);
    },
  );

  it('is not alone once it has read what another committed meanwhile', async () => {
    const { world, messages, cached } = await warm();
    world.store.hook = async ({ operation, key, when }) => {
      if (operation !== 'put' || key !== keys.entry(model, 2) || when !== 'after') return;
      world.store.hook = () => undefined;
      await deliver(world, messages.slice(2, 3));
    };
    const rollback = message(91, { rollback: { to: 1 } });
    const update = await deliver(
      world,
      [...messages.slice(1, 2), rollback, ...messages.slice(3, 4)],
      undefined,
      cached,
    );
    expect(update).toMatchObject({ settled: 3, cached: { isAlone: false } });
    expect(update.cached?.state).toEqual(await foldJournal(world));
  });
});
