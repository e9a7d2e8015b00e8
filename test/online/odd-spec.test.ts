import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { currentSpec } from '../../lib/fold/current-model.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { prepareSpec, sendSpec } from '../../lib/operations/change-spec.ts';
import { describeModel } from '../../lib/operations/describe-model.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { parametersOf } from '../../lib/state/state.ts';
import {
  change,
  command,
  early,
  late,
  name,
  other,
  parametersNow,
  sent,
  worldWith,
} from '../support/changed.ts';
import { deliver, foldJournal, modelOf, ticketsSpec } from '../support/world.ts';

const { urgency, team } = ticketsSpec.features as Required<typeof ticketsSpec.features>;
const fewer: SpecInput = { ...ticketsSpec, features: { urgency: urgency ?? { type: 'number' } } };
const replaying = { ...ticketsSpec, online: { minibatch: 2, replay: { ratio: 2, size: 10 } } };
const noticing = { ...ticketsSpec, online: { minibatch: 2, drift: { confidence: 0.5 } } };

describe('a change of spec', () => {
  it.each([
    ['replay to nothing', replaying, ticketsSpec],
    ['drift to nothing', noticing, ticketsSpec],
    ['replay to drift', replaying, noticing],
    [
      'nothing to both',
      ticketsSpec,
      { ...replaying, online: { ...replaying.online, ...noticing.online } },
    ],
  ])('leaves nothing of the spec before in the state: from %s', async (_, before, after) => {
    const world = await worldWith(before, early);
    const then = await parametersNow(world);
    await change(world, after);
    for (const each of late) await deliver(world, [each]);
    expect(await parametersNow(world)).toEqual(
      parametersOf(await foldJournal(await worldWith(after, sent))),
    );
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({
      isSame: true,
      isPublished: true,
    });
    expect(await (await openModel(world, name)).predict([])).toMatchObject({ sequence: 13 });
    await deliver(world, [command({ rollback: { to: 7 } })]);
    expect(await parametersNow(world)).toEqual(then);
    expect(await (await openModel(world, name)).predict([])).toMatchObject({ sequence: 14 });
  });

  it('goes on to ignore what the spec before ignores, unless its author says it otherwise', async () => {
    const world = await worldWith(ticketsSpec, early);
    await change(world, fewer);
    await expect(prepareSpec(world, name, fewer)).rejects.toThrow(/nothing to change/);
    const slower = { ...fewer, online: { minibatch: 2, rate: 0.01 } };
    expect(await change(world, slower)).toMatchObject({ spec: { ignore: ['team'] } });
    await change(world, { ...fewer, network: { hidden: [5] } });
    await deliver(world, late.slice(0, 2));
    expect(await readQuarantine(world.store, name)).toEqual([]);
    const strict = { ...slower, network: { hidden: [5] }, ignore: ['hour'] };
    expect(await change(world, strict)).toMatchObject({ from: 'weights' });
    expect(await describeModel(world, name)).not.toHaveProperty('figuresSince');
    await deliver(world, late.slice(2));
    expect((await readQuarantine(world.store, name)).length).toBe(3);
    await change(world, { ...ticketsSpec, ignore: [] });
    expect((await currentSpec(world, name))?.spec.ignore).toEqual([]);
  });

  it('learns columns in the order in which a spec of the same identity was stored', async () => {
    const turned = {
      ...ticketsSpec,
      features: { team: team ?? { type: 'number' }, urgency },
    } as SpecInput;
    const world = await worldWith(ticketsSpec, early);
    await expect(prepareSpec(world, name, turned)).rejects.toThrow(/nothing to change/);
    await change(world, { ...ticketsSpec, seed: 5 });
    await change(world, turned);
    for (const each of late) await deliver(world, [each]);
    const always = await foldJournal(await worldWith(ticketsSpec, sent));
    expect(await parametersNow(world)).toEqual(parametersOf(always));
  });

  it('is refused before it is sent where what would be stored is not valid', async () => {
    const features = Object.fromEntries(
      Array.from({ length: 600 }, (_, i) => [`x${i}`, { type: 'number', missing: 0 } as const]),
    );
    const world = await worldWith(
      { ...ticketsSpec, features: { ...ticketsSpec.features, ...features } },
      [],
    );
    const ignore = Array.from({ length: 600 }, (_, i) => `y${i}`);
    await expect(prepareSpec(world, name, { ...ticketsSpec, ignore })).rejects.toThrow(
      /spec\.ignore: must have at most 1000 items/,
    );
  });

  it('is rejected, and stops nothing, where what was stored is gone, damaged or another', async () => {
    const world = await worldWith(ticketsSpec, early);
    const stored = async (body: string) => {
      const prepared = await prepareSpec(world, name, other);
      const { to, ...rest } = await sendSpec(world, prepared);
      world.sentSamples.splice(0);
      const key = keys.laterSpec(name, to);
      await world.store.put(key, Buffer.from(body));
      await deliver(world, [command({ spec: { ...rest, to } })]);
      world.store.remove(key);
    };
    await stored('{');
    await stored(JSON.stringify(defineSpec({ ...ticketsSpec, seed: 8 })));
    await deliver(world, late);
    const refused = (await readQuarantine(world.store, name)).map((each) => each.refused[0]?.code);
    expect(refused).toEqual(['no-such-spec', 'no-such-spec']);
    expect((await foldJournal(world)).learnt).toBe(30);
  });

  it('is known from the journal alone, and to whoever creates the model again', async () => {
    const world = await worldWith(ticketsSpec, early);
    await change(world, fewer);
    for (const each of late) await deliver(world, [each]);
    await world.store.put(keys.laterSpec(name, 'f'.repeat(64)), Buffer.from('junk'));
    expect(await createModel(world, defineSpec(fewer))).toBe(false);
    expect(await createModel(world, ticketsSpec)).toBe(false);
    await expect(createModel(world, defineSpec(other))).rejects.toThrow(/millrace spec tickets/);
    world.store.remove(keys.state(name));
    for (const { key } of await world.store.list(keys.checkpoints(name))) world.store.remove(key);
    const { spec, specSince } = await describeModel(world, name);
    expect(specSince).toBe(8);
    expect(Object.keys(spec.features)).toEqual(['urgency']);
    await deliver(world, [command({ rollback: { to: 7 } })]);
    world.store.remove(keys.state(name));
    for (const { key } of await world.store.list(keys.checkpoints(name))) world.store.remove(key);
    expect((await currentSpec(world, name))?.spec.features).toEqual(ticketsSpec.features);
  });

  it('says where lists differ, and which of its features no sample of the journal has', async () => {
    const experts = (halfLife: number) => [{ hidden: [3] }, { hidden: [2], halfLife }];
    const before = { ...ticketsSpec, online: { minibatch: 2, experts: experts(16) } };
    const world = await worldWith(before, early);
    const after: SpecInput = {
      ...before,
      features: {
        ...before.features,
        team: { type: 'category', values: ['red', 'blue', 'green'], dimensions: 2 },
        hour: { type: 'number', missing: 12 },
      },
      online: { minibatch: 2, experts: experts(64) },
    };
    const prepared = await prepareSpec(world, name, after);
    expect(prepared.unseen).toEqual(['hour']);
    expect(prepared.differences).toContainEqual({
      path: 'online.experts[1].halfLife',
      before: 16,
      after: 64,
    });
    expect(prepared.differences).toContainEqual({
      path: 'features.team.values',
      before: [],
      after: ['green'],
      isPart: true,
    });
  });

  it('learns the journal by the spec that holds, if it is asked to', async () => {
    const world = await worldWith(ticketsSpec, early);
    await change(world, { ...ticketsSpec, online: { minibatch: 4 } });
    await expect(change(world, { ...ticketsSpec, online: { minibatch: 4 } })).rejects.toThrow(
      /nothing to change/,
    );
    const again = { ...ticketsSpec, online: { minibatch: 4 } };
    expect(await change(world, again, { isRelearnt: true })).toMatchObject({ from: 'journal' });
    for (const each of late) await deliver(world, [each]);
    const always = await foldJournal(await worldWith(again, sent));
    expect(await parametersNow(world)).toEqual(parametersOf(always));
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({ isSame: true });
  });
});
