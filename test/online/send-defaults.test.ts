import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { sendDefaults } from '../../lib/online/send-defaults.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import {
  askedWorld,
  dueKeys,
  later,
  takeDefaults,
  urgent,
  waitingSpec,
} from '../support/default-labels.ts';
import { learntSamples, refusals } from '../support/late-labels.ts';
import { deliver, message, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;

describe('what sends defaults', () => {
  const noTime = () => 0;

  it('gets on, however little time there is and however many labels came', async () => {
    const world = await askedWorld(0);
    const opened = await openModel(world, model);
    for (let id = 0; id < 60; id++) await opened.predict([{ id, features: urgent }]);
    const labels = Array.from({ length: 60 }, (_, id) => ({ id, label: true }));
    await deliver(world, [message(1, { labels })]);
    const remove = async (key: string) => world.store.remove(key);
    expect(await dueKeys(world)).toBe(60);
    for (let left = 60; left > 0; left = await dueKeys(world)) {
      await sendDefaults(later(world, 3), remove, noTime);
      expect(await dueKeys(world)).toBeLessThan(left);
    }
    expect(world.sentSamples).toEqual([]);
  });

  it('sends as much as a message can bring, each id once', async () => {
    const note = { ...waitingSpec, ignore: ['note'] };
    const world = await askedWorld(0, note);
    const opened = await openModel(world, model);
    const features = { ...urgent, note: 'x'.repeat(2 ** 20) };
    const questions = Array.from({ length: 20 }, (_, id) => ({ id, features }));
    for (let times = 0; times < 2; times++) await opened.predict(questions);
    const many = Array.from({ length: 250 }, (_, i) => ({ id: 100 + i, features: urgent }));
    await opened.predict([...many, ...many.slice(0, 50)]);
    expect(await takeDefaults(later(world, 3), 1)).toEqual([{ model, labels: 270 }]);
    expect(await learntSamples(world)).toHaveLength(270);
    expect(await refusals(world)).toEqual([]);
  });

  it('goes on with other models where one is damaged, and says so at the end', async () => {
    const world = await askedWorld(1);
    const kept = await world.store.list(keys.allDue(model));
    const [{ key } = { key: '' }] = kept;
    const body = (await world.store.get(key))?.body ?? new Uint8Array();
    for (const name of ['another', 'Not a model', '.hidden'])
      await world.store.put(key.replace(model, name), body);
    await world.store.put(keys.spec('another'), Buffer.from('{}'));
    const get: World['store']['get'] = async (at, ...given) => {
      if (at === key.replace(model, 'another')) throw new Error('damaged');
      return world.store.get(at, ...given);
    };
    const broken = later({ ...world, store: { ...world.store, get } }, 3);
    await expect(
      sendDefaults(
        broken,
        async () => undefined,
        () => 100,
      ),
    ).rejects.toThrow('damaged');
    expect(world.sentSamples).toMatchObject([{ group: model }]);
  });

  it('says what it cannot read, and leaves alone what is not due', async () => {
    const warnings: unknown[] = [];
    const world = await askedWorld(1);
    const [{ key } = { key: '' }] = await world.store.list(keys.allDue(model));
    await world.store.put(key, Buffer.from('{'));
    const other = key.replace(/[^/]+$/, 'notes.txt');
    await world.store.put(other, Buffer.from('mine'));
    const log = { ...world.log, warn: (...given: unknown[]) => void warnings.push(given) };
    expect(await takeDefaults(later({ ...world, log }, 3), 1)).toEqual([]);
    expect(warnings).toMatchObject([[expect.stringContaining('damaged'), { key }]]);
    expect((await world.store.list(keys.allDue(model))).map((each) => each.key)).toEqual([other]);
  });

  it('brings to quarantine what is asked no more', async () => {
    const world = await askedWorld(1);
    world.store.remove(keys.asked(model, '0'));
    expect(await takeDefaults(later(world, 3), 1)).toEqual([{ model, labels: 1 }]);
    expect(await refusals(world)).toMatchObject([{ code: 'unknown-id' }]);
  });
});
