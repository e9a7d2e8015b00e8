import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { reasonOf } from '../../lib/errors.ts';
import { ledgerNow } from '../../lib/fold/ledger-now.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const stateKey = keys.state(model);

/** Ways in which what is only a cache of the journal can be wrong. */
const damages: Record<string, (body: Uint8Array, world: World) => Uint8Array | undefined> = {
  gone: () => undefined,
  empty: () => new Uint8Array(),
  'cut off': (body) => body.subarray(0, body.length / 2),
  'one bit flipped': (body) => body.map((byte, i) => (i === body.length - 3 ? byte ^ 1 : byte)),
  garbage: () => Buffer.from('not a checkpoint'),
  "a different model's": (body) =>
    encodeCheckpoint({ ...decodeCheckpoint(body), model: 'somebody' }),
  "a different spec's": (body) =>
    encodeCheckpoint({ ...decodeCheckpoint(body), specHash: 'f'.repeat(64) }),
  'ahead of its journal': (body) =>
    encodeCheckpoint({ ...decodeCheckpoint(body), sequence: 99, nonce: 'other' }),
  "of a different journal's entry": (body) =>
    encodeCheckpoint({ ...decodeCheckpoint(body), nonce: 'other' }),
};

async function damage(world: World, key: string, how: string): Promise<void> {
  const object = await world.store.get(key);
  const damaged = damages[how]?.(object?.body ?? new Uint8Array(), world);
  if (damaged === undefined) world.store.remove(key);
  else await world.store.put(key, damaged);
}

describe.each(Object.keys(damages))('a published state that is %s', (how) => {
  it.each([true, false])(
    'is never believed, and is made again (kept one too: %s)',
    async (both) => {
      const world = createWorld(ticketsSpec, { keptCheckpointEntries: 2 });
      for (const each of sampleMessages(5, 'till')) await deliver(world, [each]);
      await damage(world, stateKey, how);
      if (both) await damage(world, keys.checkpoint(model, 4), how);
      expect(await ledgerNow(world, model)).toEqual((await foldJournal(world)).ledger);
      const found = await verifyModel(world, await modelOf(world), false).catch(reasonOf);
      // (Its own entries may have been lost.)
      if (how === 'ahead of its journal') expect(found).toMatch(/000000000099 is missing/);
      else expect(found).toMatchObject({ isPublished: false });

      const next = message(50, { producer: 'till', seq: 6, samples: [ticket(6)] });
      expect((await deliver(world, [next])).settled).toBe(1);
      const published = await world.store.get(stateKey);
      expect(decodeCheckpoint(published?.body ?? new Uint8Array())).toEqual(
        await foldJournal(world),
      );
      expect((await foldJournal(world)).sequence).toBe(6);
      expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({
        isSame: !both || how === 'gone',
        damagedStates: both && how !== 'gone' ? [4] : [],
        isPublished: true,
      });
    },
  );
});

describe('a model that was removed and created again', () => {
  it.each(['the same spec', 'a different spec'])(
    'begins anew on a machine that still knows the old one: %s',
    async (which) => {
      const world = createWorld();
      const { cached } = await deliver(world, sampleMessages(4, 'till'));
      for (const key of world.store.objects.keys()) world.store.remove(key);
      const spec = which === 'the same spec' ? ticketsSpec : { ...ticketsSpec, seed: 2 };
      await world.store.put(keys.spec(model), Buffer.from(JSON.stringify(spec)));
      const again = await deliver(world, sampleMessages(2, 'till'), () => 100, cached);
      expect(again.cached?.state).toMatchObject({ sequence: 1, learnt: 3, seed: spec.seed });
      expect(await foldJournal(world)).toEqual(again.cached?.state);
    },
  );
});
